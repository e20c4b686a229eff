"""The images, built once, and the platform's tracking server running from its image."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow.sklearn
import pytest
from sklearn.linear_model import LinearRegression

from images import build
from tests.images import engine as engines
from tests.images import services
from tests.images.engine import Engine
from tests.support import postgres

BASE = "mlflow-platform-base:bookworm"
TEAM = "science"
SERVING = "system:serviceaccount:mlflow:serving-line"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    answering = engines.answering()
    if answering is not None:
        yield answering
    elif os.geteuid() == 0 and shutil.which("dockerd") and shutil.which("docker"):
        with engines.own(tmp_path_factory.mktemp("docker")) as engine:
            yield engine
    else:
        pytest.skip("no container engine answers, and only root with dockerd on PATH can start one")


@pytest.fixture(scope="session")
def base(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str | None:
    """The Dockerfiles' own base where it can be pulled, otherwise Debian's packages put together here."""
    if engine.call("images", "--quiet", BASE):
        return BASE
    if shutil.which("mmdebstrap") is None:
        return None
    root = tmp_path_factory.mktemp("base") / "root.tar"
    packages = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(["mmdebstrap", "--variant=minbase", packages, "bookworm", root], check=True, capture_output=True)
    engine.call("import", root, BASE)
    return BASE


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow model that answers 2x."""
    path = tmp_path_factory.mktemp("model") / "line"
    mlflow.sklearn.save_model(LinearRegression().fit([[1.0], [2.0]], [2.0, 4.0]), path)
    return path


@pytest.fixture(scope="session")
def images(engine: Engine, base: str | None, model: Path) -> dict[str, str]:
    """The references of the three images and of `baked`, the serving image with a model in it."""
    patch = pytest.MonkeyPatch()
    for name in ("DOCKER_HOST", "DOCKER_BUILDKIT"):
        if name in engine.environment:
            patch.setenv(name, engine.environment[name])
    patch.setenv("CONTAINER_ENGINE", "docker")
    chosen = [] if base is None else ["--base", base]
    try:
        build.main(["serving", "--tag", "baked", "--model", str(model), *chosen])
        build.main(["--tag", "test", *chosen])
    finally:
        patch.undo()
    return {name: f"mlflow-platform/{name}:test" for name in build.NAMES} | {"baked": "mlflow-platform/serving:baked"}


@dataclass(frozen=True)
class Platform:
    """A tracking server in a container; `url` is MLflow's own address, `management` its probes'."""

    url: str
    management: str
    issuer: services.Issuer
    store: dict[str, str]
    container: str


@pytest.fixture(scope="session")
def platform(engine: Engine, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    server = postgres.Server()
    server.start()
    with server.superuser() as connection:
        for name in ("mlflow", "mlflow_auth"):
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'made-up'".encode())
            connection.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
    port, management = postgres.free_port(), postgres.free_port()
    folder = tmp_path_factory.mktemp("files")
    with services.object_store(tmp_path_factory.mktemp("objects")) as store, services.issuer() as issuer:
        accepted = {
            "url": issuer.url,
            "audiences": [services.AUDIENCE],
            "username_claim": "sub",
            "groups_claim": "groups",
            "principals": {SERVING: {TEAM: "viewer"}},
        }
        teams = [{"name": TEAM, "roles": {"approver": ["scientists"]}}]
        (folder / "identity.json").write_text(json.dumps({"issuers": [accepted], "admins": [], "teams": teams}))
        for path in (folder, folder / "identity.json"):
            path.chmod(0o755)
        address = f"127.0.0.1:{server.port}"
        env = {
            **store,
            "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg://mlflow:made-up@{address}/mlflow",
            "MLOPS_AUTH_DATABASE_URI": f"postgresql+psycopg://mlflow_auth:made-up@{address}/mlflow_auth",
            "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{services.BUCKET}/artifacts",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "made-up",
            "MLFLOW_CRYPTO_KEK_PASSPHRASE": "made-up",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{port}",
            "MLOPS_IDENTITY_FILE": "/etc/mlflow-platform/identity.json",
            "MLOPS_LISTEN": f"127.0.0.1:{port}",
            "MLOPS_MANAGEMENT_LISTEN": f"127.0.0.1:{management}",
            "MLOPS_WORKERS": "2",
        }
        engine.run(images["tracking"], "mlops", "tracking", "migrate", env=env, files=folder)
        with engine.running(images["tracking"], env=env, files=folder) as container:
            yield Platform(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{management}", issuer, store, container)
    server.close()
