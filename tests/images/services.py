"""What the containers talk to, on loopback: an object store, and an issuer whose tokens count."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import jwt
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.support.postgres import free_port
from tools import catalogue

BUCKET = "mlflow"
ACCESS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret-of-the-store", "AWS_REGION": "us-east-1"}
AUDIENCE = "mlflow"


@contextlib.contextmanager
def object_store(folder: Path) -> Iterator[dict[str, str]]:
    """A bucket; yields the environment that a client of it needs."""
    port = free_port()
    credentials = {
        "ROOT_ACCESS_KEY_ID": ACCESS["AWS_ACCESS_KEY_ID"],
        "ROOT_SECRET_ACCESS_KEY": ACCESS["AWS_SECRET_ACCESS_KEY"],
    }
    command = [catalogue.locate("versitygw"), "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(folder)]
    process = subprocess.Popen(command, env={**os.environ, **credentials})
    try:
        environment = {**ACCESS, "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        _make_bucket(environment)
        yield environment
    finally:
        process.terminate()
        process.wait(timeout=30)


@retry(stop=stop_after_delay(30), wait=wait_fixed(0.2), retry=retry_if_exception_type((BotoCoreError, ClientError)))
def _make_bucket(environment: dict[str, str]) -> None:
    client(environment).create_bucket(Bucket=BUCKET)


def client(environment: dict[str, str]):  # type: ignore[no-untyped-def]
    """An S3 client of the store."""
    return boto3.client(
        "s3",
        endpoint_url=environment["MLFLOW_S3_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )


class Issuer:
    """An OIDC issuer with one key; `token` is what a cluster projects into a pod or a person gets by signing in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())

    def token(self, subject: str, *, groups: tuple[str, ...] = ()) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": subject, "groups": groups, "iat": now, "exp": now + 600}
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": "key"})

    def documents(self) -> dict[str, object]:
        """What it publishes, by path."""
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [{**key, "kid": "key", "use": "sig", "alg": "ES256"}]},
        }


@contextlib.contextmanager
def issuer() -> Iterator[Issuer]:
    """A running issuer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(made.documents()[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Issuer(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
