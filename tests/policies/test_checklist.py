"""`mlops checklist` against the running local platform, and against platforms that are not what they should be."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlops.checklist import facts
from mlops.checklist.asking import Answer, Platform
from mlops.checklist.points import BY_ID, POINTS
from mlops.checklist.probes import PROBES, ask
from policies.checklist import POLICIES
from policies.rule import FOUNDATION
from tests.platform.local_stack import LocalStack
from tests.platform.registry_support import ADMIN, APPROVER, make_model, mlops

OPEN = {"monitoring", "backups", "model-delivery"}
GOOD = {
    "backend": "postgresql+psycopg",
    "users": "postgresql+psycopg",
    "artifacts": "s3://bucket/artifacts",
    "object_store": "http://127.0.0.1:5590",
    "listen": "127.0.0.1:1",
    "four_eyes": True,
}


@pytest.fixture(scope="module")
def platform(disposable: LocalStack) -> LocalStack:
    """A platform of this module's own: on the shared one, other tests leave models that must not pass."""
    disposable.up()
    return disposable


def test_there_are_twelve_points_and_each_is_enforced_or_asked() -> None:
    assert [point.number for point in POINTS] == list(range(1, 13))
    assert {policy.point for policy in POLICIES} <= {*BY_ID, FOUNDATION}
    for point in POINTS:
        assert point.open or point.probe in PROBES


def test_checklist_needs_nothing_of_pulumi() -> None:
    """It runs in images that have only `mlops`."""
    program = (
        "import sys, mlops.checklist.cli, mlops.checklist.probes, mlops.checklist.facts\n"
        "sys.exit(str({n for n in sys.modules if n.partition('.')[0] in ('pulumi', 'policies', 'infra')} or ''))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == ""


def test_open_point_is_never_passed() -> None:
    platform = Platform("https://mlflow.example.com", None, None)
    for point in POINTS:
        if point.open:
            assert ask(point, platform).state == "open"


def test_point_that_cannot_be_asked_is_unknown_and_not_passed() -> None:
    platform = Platform("http://127.0.0.1:9", None, None)
    for point in POINTS:
        if point.id not in OPEN | {"rank-zero"}:
            assert ask(point, platform).state == "unknown"


class _Faulty(BaseHTTPRequestHandler):
    """A server that answers everybody, with the facts that the test gave it."""

    facts: dict[str, Any] = {}
    status = 200

    def do_GET(self) -> None:
        own = self.path == facts.PATH
        body = json.dumps(self.facts if own else {"workspaces": []}).encode()
        self.send_response(200 if own or self.headers.get("Authorization") else self.status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def faulty() -> Iterator[type[_Faulty]]:
    handler = type("Handler", (_Faulty,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_model_server_that_does_not_answer_fails(faulty: Any) -> None:
    """Elsewhere than on this machine the served models are looked for below the platform's own host."""
    faulty.facts, faulty.status = {**GOOD, "served": ["iris-classifier"]}, 500
    asked = Platform(faulty.url.replace("127.0.0.1", "localhost"), "token", None)
    answer = ask(BY_ID["serving"], asked)
    assert answer.state == "failed"
    assert "serving-iris-classifier" in answer.detail


def test_served_models_are_those_that_may_sign_in(tmp_path: Path) -> None:
    file = tmp_path / "identity.json"
    principals = {"system:serviceaccount:mlflow:serving-iris-classifier": {}, "system:serviceaccount:mlflow:jobs": {}}
    file.write_text(json.dumps({"issuers": [{"principals": principals}, {}]}))
    assert facts.facts({"MLOPS_IDENTITY_FILE": str(file)})["served"] == ["iris-classifier"]


@pytest.mark.parametrize(
    ("point", "wrong", "status"),
    [
        ("backend-store", {"backend": "sqlite"}, 401),
        ("backend-store", {"users": "mysql+pymysql"}, 401),
        ("artifact-store", {"artifacts": "/data"}, 401),
        ("approval", {"four_eyes": False}, 401),
        ("authentication", {}, 200),
    ],
)
def test_wrong_platform_fails(faulty: Any, point: str, wrong: dict[str, Any], status: int) -> None:
    faulty.facts, faulty.status = {**GOOD, **wrong}, status
    assert ask(BY_ID[point], Platform(faulty.url, "token", None)).state == "failed"


def test_open_raw_port_fails(faulty: Any) -> None:
    """The proxy refuses, but MLflow's own port answers anybody."""
    faulty.facts, faulty.status = dict(GOOD), 401
    open_to_all = ThreadingHTTPServer(("127.0.0.1", 0), type("Open", (_Faulty,), {"status": 200}))
    faulty.facts["listen"] = f"0.0.0.0:{open_to_all.server_port}"
    thread = threading.Thread(target=open_to_all.serve_forever)
    thread.start()
    try:
        answer: Answer = ask(BY_ID["authentication"], Platform(faulty.url, "token", None))
    finally:
        open_to_all.shutdown()
        thread.join()
        open_to_all.server_close()
    assert answer.state == "failed"
    assert "own port" in answer.detail


def test_running_platform_passes(
    platform: LocalStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_model(platform).champion()
    monkeypatch.setenv("MLFLOW_PLATFORM_STATE", str(platform.state))
    outcome = mlops(platform, ADMIN, monkeypatch, capsys, "checklist", "--json")
    document = json.loads(outcome.out)
    states = {point["id"]: point["state"] for point in document["points"]}
    assert {name for name, state in states.items() if state == "open"} == OPEN | {"artifact-lifecycle"}, document
    assert {state for name, state in states.items() if name not in OPEN | {"artifact-lifecycle"}} == {"passed"}, (
        document
    )
    assert outcome.code == 0


def test_facts_are_refused_without_identity(platform: LocalStack) -> None:
    with platform.api(None) as client:
        assert client.get(facts.PATH).status_code in (401, 403)
    raw = f"http://127.0.0.1:{platform.ports['mlflow']}"
    with platform.api(None) as client:
        assert client.get(f"{raw}{facts.PATH}").status_code in (401, 403)


def test_history_that_was_rewritten_fails_the_gate(platform: LocalStack) -> None:
    make_model(platform).champion()
    asked = Platform(platform.tracking_url, platform.token(APPROVER), None)
    assert ask(BY_ID["quality-gate"], asked).state == "passed"
    asked.champions[0].history["problems"].append("entry 2 is missing")
    assert ask(BY_ID["quality-gate"], asked).state == "failed"


def test_champion_without_approval_fails(platform: LocalStack) -> None:
    make_model(platform).champion()
    asked = Platform(platform.tracking_url, platform.token(APPROVER), None)
    first = asked.champions[0]
    first.history["entries"] = [entry for entry in first.history["entries"] if entry["action"] != "approved"]
    assert ask(BY_ID["approval"], asked).state == "failed"
    assert ask(BY_ID["quality-gate"], asked).state == "passed"


def test_nobody_signed_in_passes_nothing_that_needs_an_identity(platform: LocalStack) -> None:
    asked = Platform(platform.tracking_url, None, None)
    assert ask(BY_ID["approval"], asked).state == "unknown"
    assert ask(BY_ID["backend-store"], asked).state == "unknown"
