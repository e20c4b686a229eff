"""The training helpers against the running platform, in processes of their own where one has to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from uuid import uuid4

import mlflow
import pandas as pd
import pytest

from mlops import training
from tests.platform.registry_support import EDITOR, WORKSPACE, Platform, signed_in

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def experiment() -> str:
    return f"training-{uuid4().hex[:8]}"


@pytest.fixture
def start(platform: Platform) -> Start:
    """Starts a Python program as the editor."""
    identity = {
        "MLFLOW_TRACKING_URI": platform.tracking_url,
        "MLFLOW_TRACKING_TOKEN": platform.token(EDITOR),
        "MLFLOW_WORKSPACE": WORKSPACE,
    }

    def run(program: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program]
        env = {**os.environ, **identity, **environment}
        return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    return run


def runs(experiment: str) -> list[mlflow.entities.Run]:
    return list(mlflow.search_runs(experiment_names=[experiment], output_format="list"))


def test_a_long_series_arrives_whole_and_in_order(
    platform: Platform, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [1 / (step + 1) for step in range(2500)]
    with signed_in(platform, EDITOR, monkeypatch):
        with training.run(experiment) as log:
            log.series("loss", values)
            for step in range(30):
                log.metrics({"rate": 0.1 * step}, step)
        client = mlflow.MlflowClient()
        kept = {point.step: point.value for point in client.get_metric_history(log.run_id, "loss")}
        rates = client.get_metric_history(log.run_id, "rate")
    assert kept == dict(enumerate(values))
    assert len(rates) == 30


def test_a_run_tells_where_it_comes_from(platform: Platform, experiment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with signed_in(platform, EDITOR, monkeypatch):
        with training.run(experiment, tags={"purpose": "test"}) as log:
            log.dataset(pd.DataFrame({"x": [1.0, 2.0]}), "numbers", "made-up.csv")
        run = mlflow.get_run(log.run_id)
    assert {"mlops.command", "mlops.python", "mlops.packages", "mlflow.source.git.commit"} <= run.data.tags.keys()
    assert run.data.tags["purpose"] == "test"
    assert run.inputs.dataset_inputs[0].dataset.name == "numbers"


@pytest.mark.parametrize("variable", ["RANK", "SLURM_PROCID", "HOROVOD_RANK"])
def test_other_ranks_write_nothing(
    platform: Platform, experiment: str, monkeypatch: pytest.MonkeyPatch, start: Start, variable: str
) -> None:
    program = f"""
from mlops import training
with training.run({experiment!r}) as log:
    log.params({{"a": 1}}); log.metrics({{"m": 1.0}}); log.series("s", [1.0]); print(log.active)
"""
    ranks = [start(program, **{variable: str(rank)}) for rank in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in ranks]
    assert [output.splitlines()[0] for output in outputs] == ["True", "False"]
    with signed_in(platform, EDITOR, monkeypatch):
        assert len(runs(experiment)) == 1


def test_a_job_that_is_ended_because_a_rank_died_loses_no_metric(
    platform: Platform, experiment: str, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    program = f"""
import sys
from mlops import training
with training.run({experiment!r}) as log:
    for step in range(50): log.metrics({{"m": float(step)}}, step)
    print("logged", flush=True); sys.stdin.read()
"""
    process = start(program)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    with signed_in(platform, EDITOR, monkeypatch):
        (run,) = runs(experiment)
        points = mlflow.MlflowClient().get_metric_history(run.info.run_id, "m")
    assert run.info.status == "FAILED"
    assert sorted(point.step for point in points) == list(range(50))


def test_a_killed_run_is_taken_up_again_and_a_finished_one_is_not(
    platform: Platform, experiment: str, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    program = f"""
import os
from mlops import training
with training.run({experiment!r}, resume="nightly") as log:
    os.kill(os.getpid(), 9)
"""
    start(program).communicate(timeout=120)
    with signed_in(platform, EDITOR, monkeypatch):
        (killed,) = runs(experiment)
        with training.run(experiment, resume="nightly") as taken_up:
            pass
        with training.run(experiment, resume="nightly") as anew:
            pass
    assert taken_up.run_id == killed.info.run_id
    assert anew.run_id != killed.info.run_id
