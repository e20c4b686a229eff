"""What training loops send goes straight to MLflow's Flask app: nothing that is refused elsewhere may pass there."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from mlops.tracking.shortcut import PATHS
from tests.platform.local_stack import LocalStack

GRACE, ALAN, VIEWER = "grace@example.com", "alan@example.com", "viewer@example.com"
METRIC = {"key": "loss", "value": 0.5, "timestamp": 1, "step": 1}
BODIES: dict[str, dict[str, Any]] = {
    "/api/2.0/mlflow/runs/log-metric": METRIC,
    "/api/2.0/mlflow/runs/log-batch": {"metrics": [METRIC]},
    "/api/2.0/mlflow/runs/log-parameter": {"key": "depth", "value": "3"},
    "/api/2.0/mlflow/runs/set-tag": {"key": "note", "value": "a note"},
}


@pytest.fixture(scope="module")
def run_id(platform: LocalStack) -> str:
    """A run of grace's in workspace iris."""
    with platform.api(platform.token(GRACE)) as client:
        created = client.post("/api/2.0/mlflow/experiments/create", json={"name": f"shortcut {time.time_ns()}"})
        run = client.post("/api/2.0/mlflow/runs/create", json={"experiment_id": created.json()["experiment_id"]})
        return str(run.json()["run"]["info"]["run_id"])


def send(
    platform: LocalStack, path: str, run_id: str, token: str | None, workspace: str = "iris", **headers: str
) -> httpx.Response:
    """Straight to MLflow's own port, so that it is not the proxy that refuses."""
    url = f"http://127.0.0.1:{platform.ports['mlflow']}{path}"
    sent = {"X-MLFLOW-WORKSPACE": workspace, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    return httpx.post(url, json={"run_id": run_id, **BODIES[path]}, headers=sent, trust_env=False, timeout=60)


def test_every_path_of_the_shortcut_is_tested_here() -> None:
    assert BODIES.keys() == PATHS


@pytest.mark.parametrize("path", sorted(PATHS))
def test_the_runs_owner_logs(platform: LocalStack, run_id: str, path: str) -> None:
    response = send(platform, path, run_id, platform.token(GRACE))
    assert response.status_code == 200
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", sorted(PATHS))
def test_nobody_logs_without_a_token(platform: LocalStack, run_id: str, path: str) -> None:
    assert send(platform, path, run_id, None).status_code == 401


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_viewer_logs_nothing_not_even_after_the_owner_did(platform: LocalStack, run_id: str, path: str) -> None:
    assert send(platform, path, run_id, platform.token(GRACE)).status_code == 200
    assert send(platform, path, run_id, platform.token(VIEWER)).status_code == 403


@pytest.mark.parametrize("path", sorted(PATHS))
@pytest.mark.parametrize("workspace", ["iris", "vision"])
def test_another_team_logs_nothing(platform: LocalStack, run_id: str, path: str, workspace: str) -> None:
    assert send(platform, path, run_id, platform.token(GRACE)).status_code == 200
    assert send(platform, path, run_id, platform.token(ALAN), workspace).status_code in (403, 404)


@pytest.mark.parametrize("path", sorted(PATHS))
def test_another_host_name_is_refused(platform: LocalStack, run_id: str, path: str) -> None:
    assert send(platform, path, run_id, platform.token(GRACE), Host="evil.example.com").status_code == 403


@pytest.mark.parametrize("path", sorted(PATHS))
def test_another_sites_page_is_refused(platform: LocalStack, run_id: str, path: str) -> None:
    response = send(platform, path, run_id, platform.token(GRACE), Origin="https://evil.example.com")
    assert response.status_code == 403


@pytest.mark.parametrize("path", sorted(PATHS))
def test_an_unknown_workspace_is_refused(platform: LocalStack, run_id: str, path: str) -> None:
    assert send(platform, path, run_id, platform.token(GRACE), "no-such-team").status_code in (403, 404)
