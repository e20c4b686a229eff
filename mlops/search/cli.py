"""`mlops compare`."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from mlops.search.runs import Run

app = typer.Typer(no_args_is_help=True)
out = Console(highlight=False)


@app.command()
def compare(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name.")],
    metric: Annotated[str, typer.Option(help="Sorts the runs, and colours the pictures.")],
    where: Annotated[str, typer.Option("--filter", help="MLflow's filter, e.g. \"params.depth = '3'\".")] = "",
    ascending: Annotated[bool, typer.Option("--ascending", help="Less is better.")] = False,
    top: Annotated[int, typer.Option(min=1, max=100, help="Runs in the table and the curves.")] = 10,
    limit: Annotated[int, typer.Option(min=1, max=50_000, help="Runs that are looked at.")] = 10_000,
    pictures: Annotated[Path | None, typer.Option(help="Directory to draw the pictures into.")] = None,
    artifact: Annotated[str | None, typer.Option(metavar="RUN_ID", help="Keep the pictures as artifacts.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compare the runs of an experiment: the best ones, what differs, pictures, and how to run the best one again."""
    from mlops.search import runs as search
    from mlops.search.compare import differing, reproduce

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    found = search.find(search.Query(experiment, metric, not ascending, where, limit))
    shown, best = found[:top], found[0]
    differ, commands = differing(shown), reproduce(best)
    if pictures is not None or artifact is not None:
        _draw(found, shown, metric, pictures, artifact)
    if as_json:
        document = {
            "count": len(found),
            "differing": differ,
            "best": {**_plain(best), "reproduce": commands},
            "runs": [_plain(run) for run in shown],
        }
        typer.echo(json.dumps(document, indent=2))
        return
    out.print(_table(shown, differ, metric, f"{experiment}: best {len(shown)} of {len(found)} runs by {metric}"))
    out.print(f"\nTo run {escape(best.name)} ({best.run_id}) again:")
    for line in commands:
        typer.echo(f"  {line}")


def _plain(run: Run) -> dict[str, object]:
    """A run as JSON can hold it: a metric that is no number becomes null."""
    metrics = {key: value if math.isfinite(value) else None for key, value in run.metrics.items()}
    return {"run_id": run.run_id, "name": run.name, "status": run.status, "params": run.params, "metrics": metrics}


def _table(runs: list[Run], differ: list[str], metric: str, title: str) -> Table:
    table = Table("run", metric, *differ, "id", title=escape(title), box=None)
    for run in runs:
        value = f"{run.metrics[metric]:.4g}" if metric in run.metrics else "-"
        table.add_row(escape(run.name), value, *(escape(run.params.get(key, "-")) for key in differ), run.run_id)
    return table


def _draw(found: list[Run], shown: list[Run], metric: str, directory: Path | None, artifact: str | None) -> None:
    import tempfile

    import mlflow

    from mlops.registry.errors import one_line
    from mlops.search import pictures
    from mlops.search.compare import differing

    client = mlflow.MlflowClient()
    with tempfile.TemporaryDirectory() as scratch, one_line():
        target = directory or Path(scratch)
        target.mkdir(parents=True, exist_ok=True)
        pictures.parallel_coordinates(target / "parallel-coordinates.png", found, differing(found), metric)
        histories = {
            f"{run.name} {run.run_id[:8]}": [
                (point.step, point.value) for point in client.get_metric_history(run.run_id, metric)
            ]
            for run in shown
        }
        pictures.curves(target / "curves.png", histories, metric)
        if artifact is not None:
            for name in ("parallel-coordinates.png", "curves.png"):
                client.log_artifact(artifact, str(target / name), "comparison")
