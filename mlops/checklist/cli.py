"""`mlops checklist`: the production checklist, asked of a running platform.

Exit code 0 when every point passed. On this machine open points are let through; elsewhere only with `--allow-open`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated

import typer

from mlops.errors import PlatformError

if TYPE_CHECKING:
    from rich.table import Table

    from mlops.checklist.asking import Answer, Platform
    from mlops.checklist.points import Point

STYLES = {"passed": "green", "open": "yellow", "failed": "red", "unknown": "red"}

app = typer.Typer()


@app.command()
def checklist(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The platform; the one found if not given.")
    ] = None,
    allow_open: Annotated[
        bool, typer.Option("--allow-open", help="Let points through that are not built yet.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask a running platform the twelve points of the production checklist; exit code 1 unless all passed."""
    from mlops.checklist.points import POINTS
    from mlops.checklist.probes import ask

    platform = _platform(url)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda point: ask(point, platform), POINTS))
    fine = {"passed", "open"} if allow_open or platform.here else {"passed"}
    ready = all(answer.state in fine for answer in answers)
    if as_json:
        points = [
            {"number": point.number, "id": point.id, "state": answer.state, "detail": answer.detail, "mend": point.mend}
            for point, answer in zip(POINTS, answers, strict=True)
        ]
        typer.echo(json.dumps({"platform": platform.url, "ready": ready, "points": points}))
    else:
        from rich.console import Console

        Console().print(_table(POINTS, answers))
    raise typer.Exit(0 if ready else 1)


def _platform(url: str | None) -> Platform:
    from mlops import profile
    from mlops.checklist.asking import Platform

    named = profile.resolve(url)
    document = profile.find()
    own = document if document is not None and document.tracking_url == named.tracking_url else None
    return Platform(named.tracking_url, _token(named.tracking_url), own)


def _token(url: str) -> str | None:
    """A bearer token for the platform at `url`, as every client gets it; None when nobody is signed in."""
    from mlops.login.sources import choose
    from mlops.profile import origin

    given = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if given:
        return given
    try:
        return choose(origin(url) or url).fetch().value
    except PlatformError:
        return None


def _table(points: Sequence[Point], answers: Sequence[Answer]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("", "point", "state", "seen", box=None, pad_edge=False)
    for point, answer in zip(points, answers, strict=True):
        state = Text(answer.state, style=STYLES[answer.state])
        seen = answer.detail if answer.state in ("passed", "open") else f"{answer.detail}\n{point.mend}"
        table.add_row(str(point.number), point.title, state, Text(seen))
    return table
