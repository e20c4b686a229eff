"""Each example runs against the platform, as somebody would run it, and leaves behind what it promises."""

from __future__ import annotations

import csv
import os
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import mlflow
import pytest

from examples import autolog, batch_scoring, hyperparameters, registry_workflow
from tests.platform.registry_support import APPROVER, EDITOR, WORKSPACE, Platform, signed_in

PROJECT = Path(__file__).parents[2]
ENVIRONMENT = PROJECT / ".venv-examples"


@pytest.fixture
def scientist(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Any:
    with signed_in(platform, EDITOR, monkeypatch):
        yield mlflow.MlflowClient()


def test_autologging_keeps_parameters_metrics_and_the_model(scientist: mlflow.MlflowClient) -> None:
    run = scientist.get_run(autolog.main())
    assert run.data.params["logisticregression__C"] == "2.0"
    assert run.data.metrics["cv_mean_accuracy"] > 0.9
    assert run.outputs.model_outputs


def test_a_search_keeps_every_trial_below_its_parent(scientist: mlflow.MlflowClient) -> None:
    parent = scientist.get_run(hyperparameters.main())
    trials = scientist.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert len(trials) == hyperparameters.TRIALS
    assert parent.data.metrics["accuracy"] == max(trial.data.metrics["accuracy"] for trial in trials)


def test_a_model_goes_from_registration_to_batch_scoring(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(registry_workflow, "MODEL", f"iris-{uuid4().hex[:8]}")
    source, target = tmp_path / "flowers.csv", tmp_path / "scored.csv"
    with signed_in(platform, EDITOR, monkeypatch):
        version = registry_workflow.train_and_register()
    with signed_in(platform, APPROVER, monkeypatch):
        assert registry_workflow.release(version, source)
    with signed_in(platform, EDITOR, monkeypatch):
        assert batch_scoring.main(f"models:/{registry_workflow.MODEL}@champion", source, target) == 45
    rows = list(csv.DictReader(target.open()))
    assert sum(row["prediction"] == row["target"] for row in rows) / len(rows) > 0.9


@pytest.fixture
def torch_program(platform: Platform) -> Any:
    """Runs a program as the editor in the environment that has torch and transformers."""
    if not (ENVIRONMENT / "ready").exists():
        pytest.skip("make test-examples makes the environment that has torch")
    identity = {
        "MLFLOW_TRACKING_URI": platform.tracking_url,
        "MLFLOW_TRACKING_TOKEN": platform.token(EDITOR),
        "MLFLOW_WORKSPACE": WORKSPACE,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(ENVIRONMENT / "bin" / "python"), *arguments]
        env = {**os.environ, **identity}
        return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=400, check=False)

    return run


def only_run(client: mlflow.MlflowClient, experiment: str) -> mlflow.entities.Run:
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs([found.experiment_id])
    return run


def test_pytorch_logs_epochs_checkpoints_and_a_model(torch_program: Any, scientist: mlflow.MlflowClient) -> None:
    ran = torch_program("examples/torch_epochs.py")
    assert ran.returncode == 0, ran.stderr
    run = only_run(scientist, "iris-torch")
    points = scientist.get_metric_history(run.info.run_id, "train_loss")
    assert len(points) == int(run.data.params["epochs"])
    assert points[-1].value < points[0].value
    assert run.data.metrics["val_accuracy"] > 0.9
    assert [file.path for file in scientist.list_artifacts(run.info.run_id, "checkpoints")] == ["checkpoints/best.pt"]
    model = mlflow.models.get_model_info(f"models:/{run.outputs.model_outputs[0].model_id}")
    assert "pytorch" in model.flavors
    assert model.signature is not None


def test_the_trainer_logs_by_its_own_integration(torch_program: Any, scientist: mlflow.MlflowClient) -> None:
    ran = torch_program("examples/transformers_trainer.py")
    assert ran.returncode == 0, ran.stderr
    run = only_run(scientist, "tiny-transformer")
    assert run.data.params["hidden_size"] == "32"
    assert run.data.metrics["eval_accuracy"] > 0.6
    assert len(scientist.get_metric_history(run.info.run_id, "eval_loss")) >= 2


TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")


def test_of_two_processes_rank_zero_alone_logs(torch_program: Any, scientist: mlflow.MlflowClient) -> None:
    ran = torch_program(*TORCHRUN, "examples/distributed.py")
    assert ran.returncode == 0, ran.stderr
    for said in ("rank 0 of 2 logged", "rank 1 of 2 kept quiet"):  # two processes, perhaps on one line
        assert said in ran.stdout
    run = only_run(scientist, "iris-distributed")
    assert run.data.params["world_size"] == "2"
    losses = [point.value for point in scientist.get_metric_history(run.info.run_id, "train_loss")]
    assert len(losses) == 10
    assert losses[-1] < losses[0]


def test_a_rank_that_dies_leaves_a_complete_failed_run(
    torch_program: Any, scientist: mlflow.MlflowClient, tmp_path: Path
) -> None:
    name = f"dies-{uuid4().hex[:8]}"
    program = tmp_path / "dies.py"
    program.write_text(
        "import os, torch.distributed as dist\nfrom mlops import training\n"
        "dist.init_process_group('gloo')\n"
        f"with training.run({name!r}) as log:\n"
        "    for step in range(20): log.metrics({'m': 1.0}, step)\n"
        "    dist.barrier()\n"
        "    if dist.get_rank() == 1: os.kill(os.getpid(), 9)\n"
        "    dist.barrier()\n"
    )
    assert torch_program(*TORCHRUN, str(program)).returncode != 0
    run = only_run(scientist, name)
    assert run.info.status == "FAILED"
    assert len(scientist.get_metric_history(run.info.run_id, "m")) == 20
