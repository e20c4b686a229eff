"""The images run the platform: unprivileged, on a read-only root, against a real PostgreSQL and a real object store."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow import MlflowClient
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from images import build
from tests.images import services
from tests.images.conftest import SERVING, TEAM, Platform
from tests.images.engine import Engine
from tests.support.postgres import free_port

SECONDS = 120
ALIAS = "trial"
"""One that nobody has to approve, unlike `champion`."""


@retry(
    stop=stop_after_delay(SECONDS),
    wait=wait_fixed(0.5),
    retry=retry_if_exception_type((httpx.TransportError, AssertionError)),
    reraise=True,
)
def _answers(url: str, status: int = 200) -> httpx.Response:
    response = httpx.get(url)
    assert response.status_code == status, response.text
    return response


@pytest.mark.parametrize("name", [*build.NAMES, "baked"])
def test_image_runs_as_an_unprivileged_user(engine: Engine, images: dict[str, str], name: str) -> None:
    assert engine.call("inspect", "--format", "{{.Config.User}}", images[name]) == "65532:65532"
    assert engine.run(images[name], "id", "-u", env={}) == "65532"


@pytest.mark.parametrize("name", build.NAMES)
@pytest.mark.parametrize("tool", ["pip", "gcc", "make", "curl"])
def test_image_holds_no_tool_that_builds_or_fetches(
    engine: Engine, images: dict[str, str], name: str, tool: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        engine.run(images[name], "sh", "-c", f"command -v {tool} || python3 -m {tool}", env={})


@pytest.mark.parametrize("name", build.NAMES)
def test_image_has_the_command_of_its_pods(engine: Engine, images: dict[str, str], name: str) -> None:
    assert "tracking" in engine.run(images[name], "mlops", "--help", env={})


@pytest.mark.parametrize("name", build.NAMES)
def test_image_is_read_only_but_for_its_scratch_directory(engine: Engine, images: dict[str, str], name: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        engine.run(images[name], "touch", "/opt/mlops/file", env={})
    assert "Read-only file system" in refused.value.stderr
    engine.run(images[name], "touch", "/scratch/file", env={})


@pytest.mark.parametrize("name", ["tracking", "jobs"])
def test_image_knows_the_certificate_authorities_of_rds(engine: Engine, images: dict[str, str], name: str) -> None:
    path = f"/etc/ssl/certs/{build.CERTIFICATES.name}"
    count = f"import ssl; print(ssl.create_default_context(cafile={path!r}).cert_store_stats()['x509_ca'])"
    expected = build.CERTIFICATES.read_text().count("BEGIN CERTIFICATE")
    assert int(engine.run(images[name], "python", "-c", count, env={})) == expected


def test_tracking_container_is_ready_when_its_database_answers(platform: Platform) -> None:
    assert _answers(f"{platform.management}/ready").json() == {"status": "ready"}


def test_tracking_container_serves_nobody_without_a_token(platform: Platform) -> None:
    _answers(f"{platform.management}/ready")
    search = f"{platform.url}/api/2.0/mlflow/experiments/search?max_results=1"
    assert httpx.get(search).status_code in (401, 403)
    stranger = platform.issuer.token("stranger", groups=("visitors",))
    assert httpx.get(search, headers={"Authorization": f"Bearer {stranger}"}).status_code == 403


@contextlib.contextmanager
def _signed_in(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", platform.issuer.token("ada", groups=("scientists",)))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", platform.url)
    monkeypatch.setenv("MLFLOW_WORKSPACE", TEAM)
    mlflow.set_tracking_uri(platform.url)
    yield MlflowClient()
    mlflow.set_tracking_uri(None)


def test_model_logged_to_the_tracking_container_is_served_by_the_serving_container(
    engine: Engine,
    images: dict[str, str],
    platform: Platform,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _answers(f"{platform.management}/ready")
    port = free_port()
    token = tmp_path / "token"
    token.write_text(platform.issuer.token(SERVING))
    for path in (tmp_path, token):
        path.chmod(0o755)
    env = {
        "MLFLOW_TRACKING_URI": platform.url,
        "MLFLOW_TRACKING_AUTH": "mlops",
        "MLFLOW_WORKSPACE": TEAM,
        "MLOPS_LISTEN": f"127.0.0.1:{port}",
        "MLOPS_MODEL_NAME": "line",
        "MLOPS_MODEL_ALIAS": ALIAS,
        "MLOPS_TOKEN_FILE": "/etc/mlflow-platform/token",
    }
    with engine.running(images["serving"], env=env, files=tmp_path):
        assert _answers(f"http://127.0.0.1:{port}/health", 503).json()["status"] == "waiting"
        assert _answers(f"http://127.0.0.1:{port}/live").status_code == 200
        with _signed_in(platform, monkeypatch) as client:
            with mlflow.start_run(experiment_id=client.create_experiment("lines")) as run:
                mlflow.log_artifacts(str(model), "model")
            client.create_registered_model("line")
            client.create_model_version("line", f"{run.info.artifact_uri}/model", run.info.run_id)
            client.set_registered_model_alias("line", ALIAS, "1")
        assert services.client(platform.store).list_objects_v2(Bucket=services.BUCKET)["KeyCount"] > 0
        _answers(f"http://127.0.0.1:{port}/health")
        assert _prediction(port, 21.0) == pytest.approx(42.0)


def test_baked_model_is_served_without_a_tracking_server(engine: Engine, images: dict[str, str]) -> None:
    port = free_port()
    command = "mlflow models serve --model-uri /opt/model --env-manager local --host 127.0.0.1 --workers 2 --port"
    with engine.running(images["baked"], *command.split(), str(port), env={}):
        _answers(f"http://127.0.0.1:{port}/health")
        assert _prediction(port, 3.0) == pytest.approx(6.0)


def test_serving_image_bakes_no_model_unless_asked(engine: Engine, images: dict[str, str]) -> None:
    assert engine.run(images["serving"], "ls", "/opt/model", env={}) == ""


def _prediction(port: int, x: float) -> float:
    response = httpx.post(f"http://127.0.0.1:{port}/invocations", json={"inputs": [[x]]}, timeout=30)
    assert response.status_code == 200, response.text
    (value,) = response.json()["predictions"]
    return float(value)
