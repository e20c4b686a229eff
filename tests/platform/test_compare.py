"""`mlops compare` on the running platform."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from uuid import uuid4

import mlflow
import pytest

from tests.platform.registry_support import EDITOR, STRANGER, Outcome, Platform, mlops, signed_in


@pytest.fixture
def experiment(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> str:
    """Four runs: accuracy 0.7, 0.9, NaN, and none at all."""
    name = f"compare-{uuid4().hex[:8]}"
    with signed_in(platform, EDITOR, monkeypatch):
        mlflow.set_experiment(name)
        for index, accuracy in enumerate((0.7, 0.9, math.nan, None)):
            with mlflow.start_run(run_name=f"run[{index}]"):
                mlflow.log_params({"depth": index, "seed": 1})
                if accuracy is not None:
                    mlflow.log_metric("accuracy", accuracy)
    return name


@pytest.fixture
def compare(platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*args: object, email: str = EDITOR) -> Outcome:
        return mlops(platform, email, monkeypatch, capsys, "compare", *map(str, args))

    return run


def test_the_best_run_comes_first_and_unmeasured_ones_last(compare: Any, experiment: str) -> None:
    found = json.loads(compare(experiment, "--metric", "accuracy", "--json").out)
    names = [run["name"] for run in found["runs"]]
    assert found["count"] == 4
    assert names[:2] == ["run[1]", "run[0]"]
    assert found["best"]["name"] == "run[1]"
    assert found["differing"] == ["depth"]


def test_a_filter_is_the_servers(compare: Any, experiment: str) -> None:
    found = json.loads(compare(experiment, "--metric", "accuracy", "--filter", "params.depth = '0'", "--json").out)
    assert [run["name"] for run in found["runs"]] == ["run[0]"]


def test_pictures_go_to_a_directory_and_to_artifacts(
    platform: Platform, compare: Any, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = json.loads(compare(experiment, "--metric", "accuracy", "--json").out)["best"]["run_id"]
    shown = compare(experiment, "--metric", "accuracy", "--pictures", tmp_path, "--artifact", best)
    assert shown.code == 0, shown.err
    assert "run[1]" in shown.out
    names = {"parallel-coordinates.png", "curves.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    with signed_in(platform, EDITOR, monkeypatch):
        kept = mlflow.MlflowClient().list_artifacts(best, "comparison")
    assert {Path(item.path).name for item in kept} == names


def test_mistakes_are_one_line(compare: Any, experiment: str) -> None:
    for args, said in (
        (["nowhere", "--metric", "accuracy"], "does not exist"),
        ([experiment, "--metric", "acuracy"], "no run has metric 'acuracy'; they have accuracy"),
        ([experiment, "--metric", "accuracy", "--filter", "params.depth = '9'"], "no run"),
        ([experiment, "--metric", "accuracy", "--filter", "depth ~ 9"], "INVALID_PARAMETER_VALUE"),
    ):
        outcome = compare(*args)
        assert outcome.code == 1
        assert said in outcome.err
        assert outcome.err.count("\n") == 1


def test_another_team_sees_no_runs(compare: Any, experiment: str) -> None:
    assert compare(experiment, "--metric", "accuracy", email=STRANGER).code != 0
