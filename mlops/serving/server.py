"""Becomes the parent of the model server: follows the alias and reloads the server when it names another version.

The server's workers read the version to load from a file, so that all of them serve the same one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

import httpx

from mlops.errors import PlatformError
from mlops.login.sources import Cached, choose
from mlops.profile import origin
from mlops.serving.alias import Alias, RegistryUnavailable

REQUIRED = ("MLFLOW_TRACKING_URI", "MLOPS_LISTEN", "MLOPS_MODEL_NAME", "MLOPS_MODEL_ALIAS", "MLOPS_SCRATCH")
POLL_SECONDS = 2.0
VERSION_FILE = "version"


def serve() -> None:
    """Runs until the model server ends; SIGTERM and SIGINT end it gracefully.

    Raises:
        PlatformError: a required variable is missing, or the model server ended by itself.
    """
    for name in REQUIRED:
        if not os.environ.get(name):
            raise PlatformError(f"{name} is not set; the model server needs {', '.join(REQUIRED)}")
    alias = Alias(
        tracking_url=os.environ["MLFLOW_TRACKING_URI"],
        workspace=os.environ.get("MLFLOW_WORKSPACE", "default"),
        name=os.environ["MLOPS_MODEL_NAME"],
        alias=os.environ["MLOPS_MODEL_ALIAS"],
    )
    version_file = Path(os.environ["MLOPS_SCRATCH"]) / VERSION_FILE
    version_file.unlink(missing_ok=True)
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server = subprocess.Popen(_command())
    try:
        _follow(alias, version_file, server, stopping)
    finally:
        server.terminate()
        code = server.wait()
    if not stopping.is_set():
        raise PlatformError(f"the model server ended by itself with exit code {code}; see the log above")


def _follow(alias: Alias, version_file: Path, server: subprocess.Popen[bytes], stopping: threading.Event) -> None:
    tokens = Cached(choose(origin(alias.tracking_url) or alias.tracking_url))
    served: str | None = None
    complaint = ""
    with httpx.Client(timeout=10) as client:
        while not stopping.is_set() and server.poll() is None:
            try:
                version = alias.resolve(client, tokens.bearer)
            except (RegistryUnavailable, PlatformError) as error:
                version = served  # keep serving what was served: the registry is not needed for a prediction
                if str(error) != complaint:
                    complaint = str(error)
                    print(f"serving: {complaint}; still serving version {served}", file=sys.stderr, flush=True)
            if version != served:
                print(f"serving: {alias.name}@{alias.alias} is version {version}", file=sys.stderr, flush=True)
                _publish(version_file, version)
                server.send_signal(signal.SIGHUP)
                served = version
            stopping.wait(POLL_SECONDS)


def _publish(version_file: Path, version: str | None) -> None:
    if version is None:
        version_file.unlink(missing_ok=True)
        return
    fresh = version_file.with_suffix(".new")
    fresh.write_text(version)
    fresh.replace(version_file)


def _command() -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn"),
        *("--config", "python:mlops.serving.gunicorn_conf"),
        *("--bind", os.environ["MLOPS_LISTEN"]),
        *("--workers", os.environ.get("MLOPS_WORKERS", "2")),
        "mlops.serving.app:create_app()",
    ]
