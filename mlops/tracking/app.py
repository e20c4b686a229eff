"""The ASGI application of a tracking worker: MLflow's auth app, the governed registry, and the management routes.

Named as the `mlflow.app` entry point `mlops`, so that `mlflow server --app-name mlops` finds it.
"""

from __future__ import annotations

import os

from starlette.types import ASGIApp

from mlops.tracking.assistant import WithoutAssistant
from mlops.tracking.management import ManagementPort
from mlops.tracking.shortcut import LoggingShortcut


def create_app() -> ASGIApp:
    """MLflow behind verified identities and roles; the management port answers probes and metric scrapes only."""
    from mlflow.environment_variables import _MLFLOW_SGI_NAME

    # The workers speak ASGI (uvicorn) under gunicorn; MLflow only asks whether the server does.
    os.environ[_MLFLOW_SGI_NAME.name] = "uvicorn"
    from mlflow.server import app, auth

    from mlops.checklist import facts
    from mlops.tracking import artifacts, caching, front_page, protection

    artifacts.install()
    front_page.install(app)
    protection.install(app)
    facts.install(app)
    application: ASGIApp = LoggingShortcut(WithoutAssistant(auth.create_app()), app)
    caching.install()
    return ManagementPort(application, engine=auth.store.engine, port=_management_port())


def _management_port() -> int:
    return int(os.environ["MLOPS_MANAGEMENT_LISTEN"].rpartition(":")[2])
