"""`mlops register | gate | approve | reject | promote | rollback | history`.

Exit codes: 0 done, 1 refused or bad input, 2 usage, 3 conflict, 4 not permitted, 5 platform unavailable, 6 gate not
passed, 7 history rewritten.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlops.errors import PlatformError
from mlops.registry.errors import GateFailed, Tampered

app = typer.Typer(no_args_is_help=True)
out = Console(highlight=False)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The registered model.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", help="The version of it.", min=1)]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the history.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def register(
    model_uri: Annotated[str, typer.Argument(metavar="MODEL_URI", help="runs:/RUN/model or models:/m-ID.")],
    name: Name,
    description: Annotated[str | None, typer.Option(help="What is special about this version.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Register a logged model as a new, described and tagged version."""
    pairs = [text.partition("=") for text in tag or []]
    for key, separator, _ in pairs:
        if not key or not separator:
            raise PlatformError(f"--tag {key}: expected KEY=VALUE")
    version = _registry().register(model_uri, name, description, {key: value for key, _, value in pairs})
    _print(as_json, {"name": name, "version": int(version.version)}, f"{name} version {version.version} is registered")


@app.command()
def gate(
    name: Name,
    version: Version,
    data: Annotated[str, typer.Option(help="Held-out dataset: CSV or Parquet, a path or an artifact URI.")],
    label: Annotated[str, typer.Option(help="Its label column.")],
    gate_file: Annotated[Path | None, typer.Option("--gate", help="The gate file (YAML).")] = None,
    dry_run: Annotated[bool, typer.Option(help="Measure only; needs no approver role, changes nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Measure a version on held-out data; only one that passes gets the staging alias and may be approved."""
    from mlops.registry import gate as measuring
    from mlops.registry import gatefile, heldout, report

    _registry()
    wanted = gatefile.read(gate_file)
    result = measuring.run(name, version, heldout.read(data, label), wanted, record=not dry_run)
    table = Table("check", "value", "expected", "", title=f"{name} version {version}")
    for check in result.checks:
        table.add_row(
            escape(check.name), report.shown(check.value), check.expected, "passed" if check.passed else "[red]failed"
        )
    checks = [vars(check) for check in result.checks]
    document = {"name": name, "version": version, "passed": result.passed, "checks": checks, "report": result.report}
    _print(as_json, document, table)
    if not result.passed:
        where = f"; report: {result.report}" if result.report else ""
        raise GateFailed(f"{name} version {version} did not pass: {', '.join(result.failed)}{where}")


@app.command()
def approve(name: Name, version: Version, reason: Reason, as_json: Json = False) -> None:
    """Approve a gated version for promotion."""
    answer = _registry().approve(name, version, reason)
    _print(as_json, answer, f"{name} version {version} is approved by {answer['entry']['actor']}")


@app.command()
def reject(name: Name, version: Version, reason: Reason, as_json: Json = False) -> None:
    """Reject a version; it cannot be promoted."""
    answer = _registry().reject(name, version, reason)
    _print(as_json, answer, f"{name} version {version} is rejected by {answer['entry']['actor']}")


@app.command()
def promote(name: Name, version: Version, as_json: Json = False) -> None:
    """Make a gated and approved version the champion."""
    answer = _registry().promote(name, version)
    previous = answer["aliases"].get("previous-champion")
    kept = f"; previous champion: version {previous}" if previous else ""
    _print(as_json, answer, f"{name} version {version} is champion{kept}")


@app.command()
def rollback(name: Name, reason: Reason, as_json: Json = False) -> None:
    """Bring the previous champion back."""
    answer = _registry().rollback(name, reason)
    _print(as_json, answer, f"{name} version {answer['entry']['version']} is champion again")


@app.command()
def history(
    name: Name,
    since: Annotated[str | None, typer.Option(help="A seal kept from an earlier look; it must still be there.")] = None,
    as_json: Json = False,
) -> None:
    """Show who did what to a model and when, and check that nothing was rewritten."""
    answer = _registry().history(name)
    problems = list(answer["problems"])
    if since and since not in {entry["seal"] for entry in answer["entries"]}:
        problems.append(f"the entry sealed {since} is missing")
    table = Table("", "when (UTC)", "who", "what", "version", "details", title=name, box=None)
    for entry in answer["entries"]:
        when = datetime.fromtimestamp(entry["at"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(
            str(entry["number"]),
            when,
            entry["actor"],
            entry["action"],
            str(entry["version"] or ""),
            escape(_told(entry)),
        )
    _print(as_json, {**answer, "problems": problems}, table)
    if answer["entries"] and not as_json:
        out.print(f"To notice later that the end was cut off: --since {answer['entries'][-1]['seal']}", soft_wrap=True)
    if problems:
        raise Tampered(f"the history of {name} is not as the platform wrote it: {'; '.join(problems)}")


def _told(entry: dict[str, Any]) -> str:
    details = entry["details"]
    if entry["action"] == "gated":
        return ("passed" if details["passed"] else "failed") + f" {details['report']}"
    told = {"reason": "{}", "from": "instead of {}", "alias": "{}"}
    return ", ".join(text.format(details[key]) for key, text in told.items() if details.get(key) is not None)


def _registry() -> Any:
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlops.registry.client import Registry

    return Registry()


def _print(as_json: bool, document: dict[str, Any], text: object) -> None:
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        out.print(text)
