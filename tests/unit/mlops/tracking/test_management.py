"""The management port answers probes and scrapes and nothing else, and nothing of it is on the other port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy
from starlette.types import Receive, Scope, Send

from mlops.tracking.management import ManagementPort

PORT, OTHER = 9000, 5000


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """The application that the port hides."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"the application"})


async def get(path: str, *, port: int = PORT, engine: sqlalchemy.Engine | None = None) -> httpx.Response:
    app = ManagementPort(behind, engine=engine or sqlalchemy.create_engine("sqlite://"), port=PORT)
    transport = httpx.ASGITransport(app=_arriving_on(port, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.get(path)


def _arriving_on(port: int, app: Any) -> Any:
    async def arriving(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "server": ("127.0.0.1", port)}, receive, send)

    return arriving


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_a_living_worker_with_its_database_is_ready() -> None:
    assert (await get("/live")).json() == {"status": "alive"}
    assert (await get("/ready")).json() == {"status": "ready"}


@pytest.mark.anyio
async def test_a_worker_without_its_database_lives_but_is_not_ready(tmp_path: Path) -> None:
    secret = "s3cret-word"
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/{secret}/none.db")
    assert (await get("/live", engine=engine)).status_code == 200
    response = await get("/ready", engine=engine)
    assert response.status_code == 503
    assert "database does not answer" in response.json()["reason"]
    assert secret not in response.text


@pytest.mark.anyio
async def test_metrics_of_all_workers_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    response = await get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/", "/api/2.0/mlflow/experiments/search", "/metrics/", "/live/.."])
async def test_nothing_else_is_on_the_management_port(path: str) -> None:
    response = await get(path)
    assert response.status_code == 404
    assert "the application" not in response.text


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics", "/"])
async def test_every_other_port_reaches_the_application(path: str) -> None:
    response = await get(path, port=OTHER)
    assert (response.status_code, response.text) == (418, "the application")
