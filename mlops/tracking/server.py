"""Builds and becomes the `mlflow server` command from the environment of the container or process.

MLflow's own command stays in charge; what is ours comes through its public seams: an `mlflow.app` plugin, the auth
configuration file, and gunicorn options (forked workers share memory, uvicorn's spawned ones do not).
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from mlops.errors import PlatformError
from mlops.tracking.identity_settings import identity_settings

REQUIRED = {
    "MLFLOW_BACKEND_STORE_URI": "a SQLAlchemy URI such as postgresql+psycopg://mlflow@host/mlflow",
    "MLFLOW_ARTIFACTS_DESTINATION": "an object store URI such as s3://bucket/artifacts",
    "MLFLOW_CRYPTO_KEK_PASSPHRASE": "a random text that never changes: it seals the registry's history",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "a random text, the same for every replica",
    "MLOPS_AUTH_DATABASE_URI": "a SQLAlchemy URI such as postgresql+psycopg://mlflow_auth@host/mlflow_auth",
    "MLOPS_LISTEN": "an address such as 127.0.0.1:5000",
    "MLOPS_MANAGEMENT_LISTEN": "an address such as 0.0.0.0:9000",
    "MLOPS_SCRATCH": "a writable directory",
}
ADMINISTRATOR = "system:platform"
"""MLflow's bootstrap administrator: nobody can sign in as it, because only verified tokens name users."""


def serve() -> NoReturn:
    """Replaces this process by the tracking server.

    Raises:
        PlatformError: a required variable is missing, or the identity settings are not usable.
    """
    environment = prepare(os.environ)
    command = arguments(environment)
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", *command], environment)


def prepare(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the tracking server; writes MLflow's auth configuration into the scratch directory.

    Raises:
        PlatformError: as `serve`.
    """
    for name, expected in REQUIRED.items():
        if not environment.get(name):
            raise PlatformError(f"{name} is not set; expected {expected}")
    for name in ("MLFLOW_BACKEND_STORE_URI", "MLOPS_AUTH_DATABASE_URI"):
        if not environment[name].startswith("postgresql+psycopg://"):
            scheme = environment[name].partition(":")[0]
            raise PlatformError(
                f"{name} names {scheme!r}; expected postgresql+psycopg://…, the only backend of this platform"
            )
    identity_settings()
    scratch = Path(environment["MLOPS_SCRATCH"])
    metrics = scratch / "metrics"
    metrics.mkdir(parents=True, exist_ok=True)
    for stale in metrics.glob("*.db"):
        stale.unlink()
    return {
        **environment,
        "MLFLOW_AUTH_CONFIG_PATH": str(_auth_configuration(scratch, environment["MLOPS_AUTH_DATABASE_URI"])),
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_WORKSPACES": "true",
        "MLFLOW_RBAC_SEED_DEFAULT_ROLES": "false",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONWARNINGS": "ignore::FutureWarning",
    }


def arguments(environment: Mapping[str, str]) -> list[str]:
    """The arguments of `mlflow`; nothing in them is secret."""
    host, _, port = environment["MLOPS_LISTEN"].rpartition(":")
    gunicorn = f"--config python:mlops.tracking.gunicorn_conf --bind {environment['MLOPS_MANAGEMENT_LISTEN']}"
    return [
        "server",
        *("--app-name", "mlops"),
        *("--host", host),
        *("--port", port),
        *("--workers", environment.get("MLOPS_WORKERS", "4")),
        *("--expose-prometheus", environment["PROMETHEUS_MULTIPROC_DIR"]),
        *("--gunicorn-opts", gunicorn),
    ]


def _auth_configuration(scratch: Path, database_uri: str) -> Path:
    parser = configparser.ConfigParser(interpolation=None)
    parser["mlflow"] = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": database_uri,
        "admin_username": ADMINISTRATOR,
        "authorization_function": "mlops.tracking.identity:authenticate",
        "grant_default_workspace_access": "false",
    }
    path = scratch / "auth.ini"
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        parser.write(file)
    return path
