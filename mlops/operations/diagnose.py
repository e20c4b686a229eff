"""`mlops diagnose`: walks the path that a client's request takes, and says where it ends, why, and what to do next.

What comes after a step that failed is not tried, because it would only repeat the same failure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

import typer

State = Literal["ok", "failed", "skipped"]
STYLES: dict[State, str] = {"ok": "green", "failed": "red", "skipped": "yellow"}

app = typer.Typer()


class Trouble(Exception):
    """A step that failed: what was seen, the likely cause, and what to do next."""

    def __init__(self, seen: str, cause: str, todo: str) -> None:
        super().__init__(seen)
        self.seen, self.cause, self.todo = seen, cause, todo


class NotHere(Exception):
    """A step that does not apply; the message says why."""


@dataclass(frozen=True)
class Step:
    """One step of the path. `run` returns what was seen; `needs` names the steps without which it makes no sense."""

    name: str
    run: Callable[[], str]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """How a step went."""

    step: str
    state: State
    seen: str
    cause: str = ""
    todo: str = ""


def walk(steps: Iterable[Step]) -> list[Finding]:
    """Takes the steps one after the other."""
    findings: dict[str, Finding] = {}
    for step in steps:
        broken = [name for name in step.needs if findings[name].state != "ok"]
        findings[step.name] = (
            Finding(step.name, "skipped", f"needs {broken[0]}, which is not ok") if broken else _take(step)
        )
    return list(findings.values())


def _take(step: Step) -> Finding:
    try:
        return Finding(step.name, "ok", step.run())
    except NotHere as reason:
        return Finding(step.name, "skipped", str(reason))
    except Trouble as trouble:
        return Finding(step.name, "failed", trouble.seen, trouble.cause, trouble.todo)


@app.command()
def diagnose(
    url: Annotated[str | None, typer.Option(help="The platform's URL; default MLFLOW_TRACKING_URI.")] = None,
    workspace: Annotated[str | None, typer.Option(help="The team's workspace.", envvar="MLFLOW_WORKSPACE")] = None,
    bucket: Annotated[
        str | None, typer.Option(help="s3://BUCKET/PREFIX, to try the bucket itself with this machine's AWS identity.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each answer.", min=0.1)] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find out why the platform does not work from here; exit code 1 when a step fails."""
    from mlops import profile
    from mlops.operations.diagnose_bucket import bucket_steps
    from mlops.operations.diagnose_client import client_steps

    steps = client_steps(profile.resolve(url).tracking_url, workspace, timeout)
    findings = walk([*steps, *(bucket_steps(bucket, timeout) if bucket else ())])
    healthy = all(finding.state != "failed" for finding in findings)
    if as_json:
        typer.echo(json.dumps({"healthy": healthy, "steps": [asdict(finding) for finding in findings]}, indent=2))
    else:
        _show(findings)
    raise typer.Exit(0 if healthy else 1)


def _show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    for finding in (replace(each, seen=escape(each.seen)) for each in findings):
        console.print(f"[{STYLES[finding.state]}]{finding.state:8}[/] {finding.step:10} {finding.seen}")
        if finding.state == "failed":
            console.print(f"{'':19} likely: {escape(finding.cause)}\n{'':19} next:   {escape(finding.todo)}")
