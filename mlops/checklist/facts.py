"""What a tracking server says about itself to whoever is signed in; nothing of it is secret.

A client cannot see from outside which database or which object store is behind the server.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify

MODEL_SERVER = re.compile(r"system:serviceaccount:[^:]+:serving-(.+)")
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
        "served": _served(environment.get("MLOPS_IDENTITY_FILE")),
    }


def _served(identity_file: str | None) -> list[str]:
    """The models whose servers may sign in."""
    document = json.loads(Path(identity_file).read_text()) if identity_file else {}
    principals = (name for issuer in document.get("issuers", []) for name in issuer.get("principals", {}))
    return sorted({found[1] for name in principals if (found := MODEL_SERVER.fullmatch(name))})


def install(app: Flask) -> None:
    """Adds the route to MLflow's Flask app, for everyone who is signed in."""
    from mlflow.server import auth

    def view() -> Response:
        return jsonify(facts())

    auth.BEFORE_REQUEST_VALIDATORS[(PATH, "GET")] = lambda: True
    app.add_url_rule(PATH, "mlops_checklist_facts", view, methods=["GET"])
