"""`mlops diagnose` on a platform that is well, and with each part of the path broken in turn."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.platform.local_stack import LocalStack
from tests.platform.registry_support import EDITOR, STRANGER, WORKSPACE, mlops

VIEWER_STEPS = ["dns", "tls", "proxy", "clock", "token", "identity", "version", "database", "role", "artifacts"]
Diagnose = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture
def diagnose(
    platform: LocalStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Diagnose:
    """Runs `mlops diagnose` as the editor and returns the findings by step; the exit code agrees with them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return lambda *args, email=EDITOR, stack=platform: _findings(
        mlops(stack, email, monkeypatch, capsys, "diagnose", "--json", *args)
    )


def _findings(outcome: Any) -> dict[str, dict[str, str]]:
    found = json.loads(outcome.out)
    assert outcome.code == (0 if found["healthy"] else 1)
    return {step["step"]: step for step in found["steps"]}


def only_trouble(found: dict[str, dict[str, str]]) -> dict[str, str]:
    """The one step that failed; every step that needs it was not tried."""
    failed = [step for step in found.values() if step["state"] == "failed"]
    assert len(failed) == 1, failed
    assert failed[0]["cause"]
    assert failed[0]["todo"]
    return failed[0]


def test_a_platform_that_is_well_passes_every_step(diagnose: Diagnose) -> None:
    found = diagnose()
    assert {name: step["state"] for name, step in found.items()} == dict.fromkeys(VIEWER_STEPS, "ok")


def test_an_unknown_name(diagnose: Diagnose) -> None:
    trouble = only_trouble(diagnose("--url", "https://mlflow.invalid"))
    assert trouble["step"] == "dns"
    assert "mlflow.invalid" in trouble["seen"]


def test_nothing_listens(diagnose: Diagnose) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        trouble = only_trouble(diagnose("--url", f"http://127.0.0.1:{free.getsockname()[1]}"))
    assert trouble["step"] == "tls"
    assert "refused" in trouble["seen"].lower()


def test_a_certificate_that_nobody_knows(diagnose: Diagnose, tmp_path: Path) -> None:
    with _something_else(_self_signed(tmp_path)) as port:
        trouble = only_trouble(diagnose("--url", f"https://127.0.0.1:{port}"))
    assert trouble["step"] == "tls"
    assert "CERTIFICATE" in trouble["seen"].upper()


def test_something_else_listens_there(diagnose: Diagnose) -> None:
    with _something_else() as port:
        trouble = only_trouble(diagnose("--url", f"http://127.0.0.1:{port}"))
    assert trouble["step"] == "proxy"
    assert "404" in trouble["seen"]


def test_a_clock_that_is_off(diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    real = time.time
    monkeypatch.setattr("mlops.operations.diagnose_client.time.time", lambda: real() - 300)
    trouble = only_trouble(diagnose())
    assert trouble["step"] == "clock"
    assert "-300 s" in trouble["seen"] or "-301 s" in trouble["seen"] or "-299 s" in trouble["seen"]


@pytest.mark.parametrize("token", ["garbage", "eyJhbGciOiJub25lIn0.eyJleHAiOjEwfQ."])
def test_a_token_that_is_worth_nothing(diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setattr(LocalStack, "token", lambda *_: token)
    trouble = only_trouble(diagnose())
    assert trouble["step"] == "token"
    assert trouble["todo"] == "mlops login"


def test_a_token_for_somebody_else(platform: LocalStack, diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = platform.token(EDITOR, audience="another-application")
    monkeypatch.setattr(LocalStack, "token", lambda *_: foreign)
    trouble = only_trouble(diagnose())
    assert trouble["step"] == "identity"


def test_another_teams_workspace(diagnose: Diagnose) -> None:
    trouble = only_trouble(diagnose("--workspace", WORKSPACE, email=STRANGER))
    assert trouble["step"] == "role"
    assert WORKSPACE in trouble["seen"]


def test_a_client_of_another_version(diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops.operations.diagnose_client.version", lambda _: "3.4.0")
    trouble = only_trouble(diagnose())
    assert trouble["step"] == "version"
    assert "client 3.4.0" in trouble["seen"]
    assert trouble["todo"].startswith("pip install")


@pytest.fixture(scope="module")
def breakable(disposable: LocalStack) -> LocalStack:
    disposable.up()
    return disposable


@pytest.mark.parametrize(
    ("part", "step", "cause"),
    [
        ("database", "identity", "PostgreSQL"),
        ("object-store", "artifacts", "bucket"),
        ("tracking-mlflow", "identity", "tracking server behind it"),
        ("tracking", "tls", "nothing listens"),
    ],
)
def test_a_part_that_is_down_is_named(
    breakable: LocalStack, diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch, part: str, step: str, cause: str
) -> None:
    token = breakable.token(EDITOR)
    monkeypatch.setattr(LocalStack, "token", lambda *_: token)
    with _stopped(breakable, part):
        trouble = only_trouble(diagnose(stack=breakable))
    assert trouble["step"] == step
    assert cause in trouble["cause"], trouble


@pytest.fixture
def bucket(platform: LocalStack, diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch) -> str:
    """The artifact bucket's URI, with the tracking server's own identity in the environment."""
    environment = _environment_of_server(platform)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "MLFLOW_S3_ENDPOINT_URL"):
        if name in environment:
            monkeypatch.setenv(name, environment[name])
    return environment["MLFLOW_ARTIFACTS_DESTINATION"]


def test_a_bucket_that_is_well_passes_every_step(diagnose: Diagnose, bucket: str) -> None:
    found = diagnose("--bucket", bucket)
    assert [name for name, step in found.items() if step["state"] == "ok"][-7:] == [
        "head",
        "put",
        "list",
        "get",
        "presigned",
        "multipart",
        "delete",
    ]


def test_a_bucket_that_does_not_exist(diagnose: Diagnose, bucket: str) -> None:
    trouble = only_trouble(diagnose("--bucket", "s3://no-such-bucket"))
    assert (trouble["step"], trouble["cause"]) == ("head", "there is no bucket of that name here")


def test_a_key_that_the_bucket_refuses(diagnose: Diagnose, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert only_trouble(diagnose("--bucket", bucket))["step"] == "head"


def _environment_of_server(stack: LocalStack) -> dict[str, str]:
    """The environment of the tracking server, the one process that holds the object store's key."""
    for process in stack.processes():
        environment = process.environ()
        if "AWS_SECRET_ACCESS_KEY" in environment:
            return environment
    raise AssertionError("no process holds the object store's key")


@contextmanager
def _stopped(stack: LocalStack, part: str) -> Iterator[None]:
    def control(action: str) -> None:
        socket_file = stack.state / "run" / "supervisor.sock"
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-s", f"unix://{socket_file}", action, part]
        subprocess.run(command, check=True, capture_output=True)

    control("stop")
    try:
        yield
    finally:
        control("start")


@contextmanager
def _something_else(context: ssl.SSLContext | None = None) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    class Server(HTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that gives up on the handshake is what the test is about."""

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _self_signed(directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
