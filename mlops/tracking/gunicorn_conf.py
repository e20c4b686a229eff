"""gunicorn's settings for the tracking server.

MLflow is imported once, before the workers are forked, so that they share those pages; the application itself (and with
it every database connection) is made in each worker after the fork.
"""

from __future__ import annotations

import gc
from typing import Any

from prometheus_client import multiprocess

worker_class = "uvicorn_worker.UvicornWorker"
keepalive = 120  # longer than the proxy keeps an idle connection (90 s), so that the proxy is the one to close it
graceful_timeout = 25
timeout = 120
accesslog = None
control_socket_disable = True
errorlog = "-"


def on_starting(server: Any) -> None:
    """Before the first fork: import what every worker needs, and keep the collector from dirtying shared pages."""
    import mlflow.server.auth
    import mlflow.server.fastapi_app
    import mlflow.store.artifact.s3_artifact_repo
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """A worker's metrics files go with it."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
