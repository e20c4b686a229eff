"""The redirect URI of a native app: a loopback web server that waits for one browser (RFC 8252, section 7.3)."""

from __future__ import annotations

import contextlib
import hmac
import sys
import threading
from concurrent.futures import Future, InvalidStateError
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, parse_qsl, urlsplit

from mlops.errors import PlatformError
from mlops.login.page import HEADERS, page

HOSTS = frozenset({"127.0.0.1", "localhost"})
SHOWN_SECONDS = 5.0


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Lets a browser go away before it got its page; anything else is reported as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Loopback:
    """Listens on 127.0.0.1 while it is entered. The browser that comes back with `state` is kept waiting until `show`.

    `redirect` is the URI to listen for; port 0 takes a free one, which an issuer may refuse that compares whole URIs.
    A request with another path or another state is refused and changes nothing, so no other page on this machine can
    end or hijack the sign-in.
    """

    def __init__(self, state: str, redirect: str) -> None:
        self._redirect = _parsed(redirect)
        self._answer: Future[dict[str, str]] = Future()
        self._page: Future[str] = Future()
        self._shown = threading.Event()
        port = self._redirect.port or 0
        try:
            self._server = _Server(("127.0.0.1", port), self._handler(state))
        except OSError as error:
            raise PlatformError(f"cannot listen on 127.0.0.1:{port} for --redirect ({error.strerror})") from None
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def redirect_uri(self) -> str:
        """Where the issuer sends the browser back to."""
        return f"http://{self._redirect.hostname}:{self._server.server_port}{self._redirect.path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, seconds: float) -> dict[str, str]:
        """The query that the browser brought back.

        Raises:
            PlatformError: nobody came back within `seconds`.
        """
        try:
            return self._answer.result(timeout=seconds)
        except TimeoutError:
            raise PlatformError(f"nobody finished signing in within {seconds:g} s; run `mlops login` again") from None

    def show(self, *, title: str, detail: str, succeeded: bool) -> None:
        """Answers the waiting browser."""
        self._page.set_result(page(title=title, detail=detail, succeeded=succeeded))
        self._shown.wait(SHOWN_SECONDS)

    def _handler(self, state: str) -> type[BaseHTTPRequestHandler]:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30  # a browser's spare connection must not stay for ever

            def do_GET(self) -> None:
                address = urlsplit(self.path)
                query = dict(parse_qsl(address.query))
                if address.path != loopback._redirect.path:
                    return self.reply(404, page(title="Nothing here", detail="", succeeded=False))
                if not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
                    detail = "This answer does not belong to the sign-in that is under way."
                    return self.reply(400, page(title="Not signed in", detail=detail, succeeded=False))
                with contextlib.suppress(InvalidStateError):  # the same answer again, by a reload
                    loopback._answer.set_result(query)
                try:
                    self.reply(200, loopback._page.result())
                finally:
                    loopback._shown.set()

            def reply(self, status: int, body: str) -> None:
                content = body.encode()
                self.send_response(status)
                for name, value in HEADERS.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing: the request line carries the authorization code."""

        return Handler


def _parsed(redirect: str) -> SplitResult:
    try:
        parts = urlsplit(redirect)
        if parts.scheme == "http" and parts.hostname in HOSTS and parts.port is not None and parts.path:
            return parts
    except ValueError:
        pass
    raise PlatformError(f"--redirect {redirect!r} must be http on 127.0.0.1 or localhost, with a port and a path")
