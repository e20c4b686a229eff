"""A real HTTP server that publishes a real key set and signs tokens with the key."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


class Provider(ThreadingHTTPServer):
    """An issuer with one signing key at a time; `requests` counts the key sets handed out."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests = 0
        self.rotate(None)

    def rotate(self, kid: str | None) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = kid

    def key_set(self) -> dict[str, object]:
        self.requests += 1
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key()))
        return {"keys": [public | ({"kid": self.kid} if self.kid else {})]}

    def token(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": "mlflow", "sub": "x", "email": "grace@example.com", "groups": ["a"]}
        headers = {"kid": self.kid} if self.kid else {}
        return jwt.encode(
            {**claims, "iat": now, "exp": now + 60, **changes}, self.private, algorithm="RS256", headers=headers
        )


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        document = self.server.key_set() if self.path == "/jwks" else {"jwks_uri": f"{self.server.url}/jwks"}
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running() -> Iterator[Provider]:
    """A provider that answers until the end of the block."""
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
