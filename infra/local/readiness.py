"""Waits for a local process to be ready, by asking it: never by sleeping and hoping."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from infra.local.provider import LocalError

DEAD_STATES = {"FATAL", "EXITED", "STOPPED", "UNKNOWN"}


class NotReady(Exception):
    """The process does not answer as it should (yet)."""


class StartFailed(LocalError):
    """The process will not become ready; the message is one line and ends with the process's own last words."""


def wait_until_ready(name: str, url: str, seconds: int, state: Callable[[], str], log: Path) -> None:
    """Returns once `url` answers: `http://…` with a status below 400, `tcp://host:port` with an open connection.

    Raises:
        StartFailed: the process ended, or `seconds` have passed.
    """

    @retry(
        retry=retry_if_exception_type(NotReady),
        stop=stop_after_delay(seconds),
        wait=wait_exponential(multiplier=0.05, max=0.5),
        reraise=True,
    )
    def ask() -> None:
        current = state()
        if current in DEAD_STATES:
            raise StartFailed(f"{name} ended ({current.lower()}); {last_words(log)}")
        probe(url)

    try:
        ask()
    except NotReady as error:
        raise StartFailed(f"{name} was not ready after {seconds} s: {error}; {last_words(log)}") from None


def probe(url: str) -> None:
    """Asks once.

    Raises:
        NotReady: no connection, or a status of 400 and above.
    """
    if url.startswith("tcp://"):
        host, _, port = url.removeprefix("tcp://").rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError as error:
            raise NotReady(f"{url}: {error}") from None
        return
    try:
        response = httpx.get(url, timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        raise NotReady(f"{url}: {type(error).__name__}") from None
    if response.status_code >= 400:
        raise NotReady(f"{url}: HTTP {response.status_code} {response.text[:200].strip()}")


def last_words(log: Path) -> str:
    """The last line of a log file that says something, and where the file is."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()[-50:] if line.strip()]
    except OSError:
        lines = []
    return f"last log line: {lines[-1]!r}; log: {log}" if lines else f"its log is empty: {log}"
