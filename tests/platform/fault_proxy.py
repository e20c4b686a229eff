"""A loopback HTTP server in front of the platform that misbehaves as scripted: one fault per POST, then none."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import httpx

Fault = Literal["429", "500", "503", "dropped", "answer lost"]


@contextmanager
def faulty(upstream: str, faults: Sequence[Fault]) -> Iterator[str]:
    """The URL of a proxy to `upstream`. "dropped" never arrives there; "answer lost" does, but nobody hears of it."""
    script = iter(faults)
    client = httpx.Client(base_url=upstream, timeout=60)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._forward(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = next(script, None)
            if fault == "answer lost":
                self._pass_on(body)
            if fault in ("dropped", "answer lost"):
                self.close_connection = True
            elif fault is not None:
                self._answer(int(fault), b'{"message": "try again"}')
            else:
                self._forward(body)

        def _forward(self, body: bytes) -> None:
            response = self._pass_on(body)
            self._answer(response.status_code, response.content)

        def _pass_on(self, body: bytes) -> httpx.Response:
            kept = ("authorization", "x-mlflow-workspace", "content-type")
            headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
            return client.request(self.command, self.path, content=body, headers=headers)

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        client.close()
