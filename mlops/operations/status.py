"""`mlops status`: how each part of the platform is, asked all at once over HTTP or TCP."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mlops.errors import PlatformError

if TYPE_CHECKING:
    import httpx
    from rich.table import Table

    from mlops.profile import Part

State = Literal["healthy", "waiting", "unhealthy", "unreachable"]
GOOD: frozenset[State] = frozenset({"healthy", "waiting"})
STYLES: dict[State, str] = {"healthy": "green", "waiting": "yellow", "unhealthy": "red", "unreachable": "red"}

app = typer.Typer()


@dataclass(frozen=True)
class Report:
    """One part's answer; `latency_ms` is the time until it came, None without one."""

    name: str
    health: State
    url: str | None
    version: str | None
    latency_ms: float | None
    detail: str = ""


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each part.", min=0.1)] = 3.0,
) -> None:
    """Show how each part of the platform is; exit code 1 when one is not well."""
    from rich.console import Console

    from mlops import profile

    document = profile.find()
    if document is None:
        raise PlatformError(f"no .state/{profile.FILE} here or above: run this in the project, after `make up`")
    reports = probe(document.parts, timeout)
    healthy = bool(reports) and all(report.health in GOOD for report in reports)
    if as_json:
        typer.echo(json.dumps({"healthy": healthy, "parts": [asdict(report) for report in reports]}))
    else:
        Console().print(_table(reports))
    raise typer.Exit(0 if healthy else 1)


def probe(parts: Iterable[Part], timeout: float) -> list[Report]:
    """Asks every part at the same time; `timeout` is in seconds and for each. Never raises for a part's sake."""
    from mlops import web

    parts = list(parts)
    with web.client(timeout) as client, ThreadPoolExecutor(max(1, len(parts))) as pool:
        return list(pool.map(lambda part: _ask(part, client, timeout), parts))


def _ask(part: Part, client: httpx.Client, timeout: float) -> Report:
    return _http(part, part.health, client, timeout) if part.health else _tcp(part, part.tcp or "", timeout)


def _http(part: Part, address: str, client: httpx.Client, timeout: float) -> Report:
    import httpx

    start = time.perf_counter()
    try:
        response = client.get(address)
    except httpx.TimeoutException:
        return _unreachable(part, f"no answer from {address} within {timeout:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return _unreachable(part, f"{address}: {error}")
    latency = _milliseconds(start)
    body = _object(response)
    version = str(body["version"]) if "version" in body else part.version
    reason = str(body.get("reason", ""))
    if response.is_success:
        return Report(part.name, "healthy", part.url, version, latency, reason)
    if response.status_code == 503 and body.get("status") == "waiting":
        return Report(part.name, "waiting", part.url, version, latency, reason)
    detail = f"{address}: HTTP {response.status_code} {reason}".rstrip()
    return Report(part.name, "unhealthy", part.url, version, latency, detail)


def _tcp(part: Part, address: str, timeout: float) -> Report:
    host, _, port = address.rpartition(":")
    start = time.perf_counter()
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except TimeoutError:
        return _unreachable(part, f"no answer from {address} within {timeout:g} s")
    except (OSError, ValueError, OverflowError) as error:
        return _unreachable(part, f"{address}: {getattr(error, 'strerror', None) or error}")
    return Report(part.name, "healthy", part.url or address, part.version, _milliseconds(start))


def _unreachable(part: Part, detail: str) -> Report:
    return Report(part.name, "unreachable", part.url or part.tcp, part.version, None, detail)


def _object(response: httpx.Response) -> dict[str, object]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _milliseconds(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 1)


def _table(reports: Iterable[Report]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("part", "health", "URL", "version", "latency", "detail", box=None, pad_edge=False)
    for report in reports:
        latency = "" if report.latency_ms is None else f"{report.latency_ms:.0f} ms"
        health = Text(report.health, style=STYLES[report.health])
        table.add_row(report.name, health, report.url or "", report.version or "", latency, Text(report.detail))
    return table
