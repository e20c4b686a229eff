"""Closes MLflow's Assistant API, which runs shell commands and coding agents as the tracking server, with its secrets.

MLflow guards it by asking whether the client's address is loopback. Behind a proxy on the same machine everybody's is,
and there is no setting that turns it off.
"""

from __future__ import annotations

import json

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/ajax-api/3.0/mlflow/assistant"
_BODY = json.dumps({"detail": "The MLflow Assistant is turned off on this platform."}).encode()
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


class WithoutAssistant:
    """Answers 403 to everything below `PREFIX`; the rest goes to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 403, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})
