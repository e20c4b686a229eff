"""What tells runs apart, and how to run the best one again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mlops.search.runs import Run


def differing(runs: Sequence[Run]) -> list[str]:
    """The parameters that do not have one and the same value in all `runs`, by name; a missing one is a value too."""
    keys = sorted({key for run in runs for key in run.params})
    return [key for key in keys if len({run.params.get(key) for run in runs}) > 1]


def reproduce(run: Run) -> list[str]:
    """The shell commands that run it again, and as comments what its record does not tell."""
    commit, url = run.tags.get("mlflow.source.git.commit"), run.tags.get("mlflow.source.git.repoURL")
    command = run.tags.get("mlops.command")
    lines = []
    if commit and url:
        lines += [f"git clone {shlex.quote(url)} {run.run_id} && cd {run.run_id}"]
    if commit:
        lines += [f"git checkout {commit}"]
    else:
        lines += ["# the run records no commit: start it inside a git repository"]
    if run.tags.get("mlops.git.dirty") == "true":
        lines += ["# files differed from that commit when it ran"]
    if command:
        lines += [command]
    else:
        source = run.tags.get("mlflow.source.name", "")
        lines += [f"# the run records no command: start it with mlops.training.run (source: {source or 'unknown'})"]
    return lines
