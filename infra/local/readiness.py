"""Waits for a local process to be ready, by asking it: never by sleeping and hoping."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from psycopg.pq import PGconn, Ping
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from infra.local.provider import LocalError

DEAD_STATES = {"FATAL", "EXITED", "STOPPED", "UNKNOWN"}
CRASHES = 3
"""How often a process may end while it starts: once or twice may be bad luck with a part that is still coming up."""
COMPLAINT = re.compile(r"fatal|panic|error|exception|denied|refused", re.IGNORECASE)


@dataclass(frozen=True)
class Status:
    """The supervisor's state of a process, and when it was last started (seconds since the epoch)."""

    state: str
    started: int


class NotReady(Exception):
    """The process does not answer as it should (yet)."""


class StartFailed(LocalError):
    """The process will not become ready; the message is one line and ends with the process's own last words."""


def wait_until_ready(name: str, url: str, seconds: int, status: Callable[[], Status], log: Path) -> None:
    """Returns once `url` answers: `http://…` with a status below 400, `postgresql://host:port` by taking connections.

    Raises:
        StartFailed: the process ended for good or time and again, or `seconds` have passed.
    """
    crashed: set[int] = set()

    @retry(
        retry=retry_if_exception_type(NotReady),
        stop=stop_after_delay(seconds),
        wait=wait_exponential(multiplier=0.05, max=0.5),
        reraise=True,
    )
    def ask() -> None:
        now = status()
        if now.state == "BACKOFF":
            crashed.add(now.started)
        if now.state in DEAD_STATES or len(crashed) >= CRASHES:
            raise StartFailed(f"{name} ended while it was starting; {last_words(log)}")
        probe(url)

    try:
        ask()
    except NotReady as error:
        raise StartFailed(f"{name} was not ready after {seconds} s: {error}; {last_words(log)}") from None


def probe(url: str) -> None:
    """Asks once; a PostgreSQL server is asked as `pg_isready` does, since its port opens before it takes connections.

    Raises:
        NotReady: no answer, a status of 400 and above, or a server that is still starting up.
    """
    if url.startswith("postgresql://"):
        answer = Ping(PGconn.ping(f"{url}?connect_timeout=2".encode()))
        if answer != Ping.OK:
            raise NotReady(f"{url}: {answer.name.lower()}")
        return
    try:
        response = httpx.get(url, timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        raise NotReady(f"{url}: {type(error).__name__}") from None
    if response.status_code >= 400:
        raise NotReady(f"{url}: HTTP {response.status_code} {response.text[:200].strip()}")


def last_words(log: Path) -> str:
    """The last complaint in a log file, else its last line, and where the file is."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()[-50:] if line.strip()]
    except OSError:
        lines = []
    complaints = [line for line in lines if COMPLAINT.search(line)]
    if not lines:
        return f"its log is empty: {log}"
    return f"it says: {(complaints or lines)[-1][:300]!r}; log: {log}"
