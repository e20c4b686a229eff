from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlops.errors import PlatformError
from mlops.operations.status import app, probe
from mlops.profile import Part
from tests.unit.mlops.login.oidc_servers import serving

ANSWERS: dict[str, tuple[int, Any]] = {
    "/well": (200, {"version": "3.17.2"}),
    "/plain": (200, "OK"),
    "/waiting": (503, {"status": "waiting", "reason": "no version has the alias champion"}),
    "/ill": (503, {"status": "error", "reason": "database is down"}),
    "/login": (302, "/elsewhere"),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    def respond(request: BaseHTTPRequestHandler) -> tuple[int, Any]:
        return ANSWERS[request.path]

    with serving(respond) as (url, _):
        yield url


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken and on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


def platform(directory: Path, monkeypatch: pytest.MonkeyPatch, *parts: dict[str, str]) -> None:
    document = {"tracking_url": "http://127.0.0.1:5500", "issuer": "http://127.0.0.1:5540", "parts": parts}
    (directory / "platform.json").write_text(json.dumps(document))
    monkeypatch.setenv("MLFLOW_PLATFORM_STATE", str(directory))


@pytest.mark.parametrize(
    ("path", "health", "detail"),
    [
        ("/well", "healthy", ""),
        ("/plain", "healthy", ""),
        ("/waiting", "waiting", "no version has the alias champion"),
        ("/ill", "unhealthy", "HTTP 503 database is down"),
        ("/login", "unhealthy", "HTTP 302"),
    ],
)
def test_health_is_what_the_part_answers(url: str, path: str, health: str, detail: str) -> None:
    (report,) = probe([Part(name="x", health=url + path)], timeout=5)
    assert report.health == health
    assert report.detail.endswith(detail)
    assert report.latency_ms is not None


def test_version_is_the_parts_own_word_before_the_documents(url: str) -> None:
    answered, documented = probe(
        [Part(name="a", health=url + "/well", version="old"), Part(name="b", health=url + "/plain", version="18")],
        timeout=5,
    )
    assert (answered.version, documented.version) == ("3.17.2", "18")


def test_part_that_listens_on_tcp_is_healthy(silent_port: int) -> None:
    (report,) = probe([Part(name="database", tcp=f"127.0.0.1:{silent_port}")], timeout=5)
    assert (report.health, report.url) == ("healthy", f"127.0.0.1:{silent_port}")


@pytest.mark.parametrize("key", ["tcp", "health"])
def test_part_that_does_not_listen_is_unreachable(closed_port: int, key: str) -> None:
    address = f"127.0.0.1:{closed_port}"
    (report,) = probe([Part(name="x", **{key: address if key == "tcp" else f"http://{address}/ready"})], timeout=5)
    assert (report.health, report.latency_ms) == ("unreachable", None)
    assert address in report.detail
    assert "refused" in report.detail


def test_silent_parts_are_waited_for_together(silent_port: int) -> None:
    parts = [Part(name=str(number), health=f"http://127.0.0.1:{silent_port}/") for number in range(8)]
    start = time.monotonic()
    reports = probe(parts, timeout=0.3)
    assert time.monotonic() - start < 8 * 0.3
    assert {report.health for report in reports} == {"unreachable"}
    assert reports[0].detail == f"no answer from http://127.0.0.1:{silent_port} within 0.3 s"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999999"])
def test_malformed_address_is_reported_and_not_raised(address: str) -> None:
    (report,) = probe([Part(name="x", tcp=address)], timeout=1)
    assert report.health == "unreachable"


def test_waiting_model_server_does_not_make_the_platform_ill(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform(tmp_path, monkeypatch, {"name": "a", "health": url + "/well"}, {"name": "b", "health": url + "/waiting"})
    result = CliRunner().invoke(app, ["--json"])
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["healthy"]) == (0, True)
    assert [(part["name"], part["health"]) for part in answer["parts"]] == [("a", "healthy"), ("b", "waiting")]


def test_one_ill_part_makes_the_exit_code_1(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    platform(tmp_path, monkeypatch, {"name": "a", "health": url + "/well"}, {"name": "b", "health": url + "/ill"})
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert "unhealthy" in result.stdout
    assert "database is down" in result.stdout


def test_platform_without_parts_is_not_called_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    platform(tmp_path, monkeypatch)
    assert CliRunner().invoke(app, ["--json"]).exit_code == 1


def test_no_platform_says_where_to_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_PLATFORM_STATE", str(tmp_path))
    assert isinstance(CliRunner().invoke(app, []).exception, PlatformError)


def test_answers_do_not_follow_the_environments_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (report,) = probe([Part(name="x", health=url + "/well")], timeout=5)
    assert report.health == "healthy"
