"""What a tracking server says about itself to whoever is signed in; nothing of it is secret.

A client cannot see from outside which database or which object store is behind the server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, jsonify

PATH = "/api/2.0/mlops/checklist/facts"


def facts(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Schemes and switches of the running server, from the environment that it was started with."""
    return {
        "backend": environment.get("MLFLOW_BACKEND_STORE_URI", "").partition(":")[0],
        "users": environment.get("MLOPS_AUTH_DATABASE_URI", "").partition(":")[0],
        "artifacts": environment.get("MLFLOW_ARTIFACTS_DESTINATION", ""),
        "object_store": environment.get("MLFLOW_S3_ENDPOINT_URL", "aws"),
        "listen": environment.get("MLOPS_LISTEN", ""),
        "four_eyes": environment.get("MLOPS_FOUR_EYES", "true") == "true",
    }


def install(app: Flask) -> None:
    """Adds the route to MLflow's Flask app, for everyone who is signed in."""
    from mlflow.server import auth

    def view() -> Response:
        return jsonify(facts())

    auth.BEFORE_REQUEST_VALIDATORS[(PATH, "GET")] = lambda: True
    app.add_url_rule(PATH, "mlops_checklist_facts", view, methods=["GET"])
