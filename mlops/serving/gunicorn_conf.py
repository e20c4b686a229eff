"""gunicorn's settings for the model server: MLflow is imported once and shared by the forked workers."""

from __future__ import annotations

import gc
from typing import Any

worker_class = "uvicorn_worker.UvicornWorker"
keepalive = 75
graceful_timeout = 25
timeout = 120
accesslog = None
control_socket_disable = True
errorlog = "-"


def on_starting(server: Any) -> None:
    """Before the first fork."""
    import mlflow.pyfunc.scoring_server  # noqa: F401

    gc.collect()
    gc.freeze()
