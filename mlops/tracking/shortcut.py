"""Sends what training loops send at every step straight to MLflow's Flask app, past its FastAPI app in front.

The FastAPI app hands these routes on unchanged, after middlewares that the Flask app repeats: host and origin checks,
security headers, the workspace, identity and permissions all have a Flask side, which is what MLflow runs on without
FastAPI at all. They cost a third of such a request's processor time.
"""

from __future__ import annotations

from flask import Flask
from starlette.types import ASGIApp, Receive, Scope, Send

PATHS = frozenset(f"/api/2.0/mlflow/runs/{name}" for name in ("log-metric", "log-batch", "log-parameter", "set-tag"))


class LoggingShortcut:
    """Gives a POST to one of `PATHS` to `flask`, anything else to `app`."""

    def __init__(self, app: ASGIApp, flask: Flask) -> None:
        from mlflow.server.fastapi_app import _EfficientWSGIMiddleware

        self._app = app
        self._flask: ASGIApp = _EfficientWSGIMiddleware(flask)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        direct = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in PATHS
        await (self._flask if direct else self._app)(scope, receive, send)
