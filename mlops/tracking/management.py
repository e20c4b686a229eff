"""Probes and metrics of a worker, on a port of their own that asks for no identity and shows no user's data.

Readiness asks the database, because MLflow's `/health` stays 200 while the database is down.
"""

from __future__ import annotations

import json
import os

import anyio.to_thread
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send


class ManagementPort:
    """Answers `/live`, `/ready` and `/metrics` on `port`; everything else goes to `app`, from any other port."""

    def __init__(self, app: ASGIApp, *, engine: Engine, port: int) -> None:
        self._app = app
        self._engine = engine
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] != "http" or scope["server"][1] != self._port:
            await self._app(scope, receive, send)
            return
        match scope["path"]:
            case "/live":
                await _respond(send, 200, {"status": "alive"})
            case "/ready":
                reason = await anyio.to_thread.run_sync(self._database_failure)
                body = {"status": "ready"} if reason is None else {"status": "not ready", "reason": reason}
                await _respond(send, 200 if reason is None else 503, body)
            case "/metrics":
                payload = await anyio.to_thread.run_sync(_metrics)
                await _send(send, 200, CONTENT_TYPE_LATEST, payload)
            case _:
                await _respond(send, 404, {"status": "not found", "reason": "only /live, /ready and /metrics are here"})

    def _database_failure(self) -> str | None:
        try:
            with self._engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            return f"the database does not answer: {type(error.__cause__ or error).__name__}"
        return None


def _metrics() -> bytes:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=os.environ["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]
    return generate_latest(registry)


async def _respond(send: Send, status: int, body: dict[str, str]) -> None:
    await _send(send, status, "application/json", json.dumps(body).encode())


async def _send(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
