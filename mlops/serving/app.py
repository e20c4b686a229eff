"""The ASGI application of a model server's worker: MLflow's scoring server, plus what it serves and whether it does.

Without a version to serve, or with one that does not load, the worker stays up and says why on `/health` (503).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from mlops.serving.server import VERSION_FILE

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

_logger = logging.getLogger("uvicorn.error")


def create_app() -> FastAPI:
    """The application for the version that the parent process has published."""
    name, alias = os.environ["MLOPS_MODEL_NAME"], os.environ["MLOPS_MODEL_ALIAS"]
    try:
        version = (Path(os.environ["MLOPS_SCRATCH"]) / VERSION_FILE).read_text()
    except FileNotFoundError:
        return _idle("waiting", f"no version of {name!r} has the alias {alias!r} yet")
    try:
        model = _load(f"models:/{name}/{version}")
    except Exception as error:  # whatever a model's own code raises must not take the server down
        _logger.exception("version %s of %s does not load", version, name)
        return _idle("failed", f"version {version} of {name!r} does not load: {error}")
    from mlflow.pyfunc import scoring_server

    app: FastAPI = scoring_server.init(model)
    _describe(app, {"status": "serving", "name": name, "alias": alias, "version": version})
    return app


def _load(uri: str) -> PyFuncModel:
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(uri)


def _idle(status: str, reason: str) -> FastAPI:
    app = FastAPI(openapi_url=None)
    body = {"status": status, "reason": reason}

    @app.api_route("/health")
    @app.api_route("/ping")
    @app.api_route("/invocations", methods=["POST"])
    def unavailable() -> JSONResponse:
        return JSONResponse(body, status_code=503)

    _describe(app, body)
    return app


def _describe(app: FastAPI, body: dict[str, str]) -> None:
    @app.get("/model")
    def model() -> dict[str, str]:
        return body

    @app.get("/live")
    def live() -> dict[str, str]:
        return {"status": "alive"}
