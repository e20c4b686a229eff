"""Real OIDC issuers on loopback, and the browser that a person would hold."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

import httpx
import jwt
import oidc_provider_mock._app as provider
from authlib.oauth2.rfc7636 import CodeChallenge
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from oidc_provider_mock._storage import User
from werkzeug.serving import make_server

USER = "ada@example.com"
CLIENT_ID = "mlops-cli"


class Provider:
    """`oidc-provider-mock`, as it is, in a thread. `lifetime` is that of the next tokens."""

    def __init__(self) -> None:
        user = User(sub=USER, claims={"email": USER, "groups": ["scientists"]})
        self.app = provider.app(user_claims=[user])
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.app.before_request(self._note)

    @contextlib.contextmanager
    def running(self) -> Iterator[Provider]:
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()

    def _note(self) -> None:
        self.requests.append((provider.flask.request.path, dict(provider.flask.request.form)))

    def refreshes(self) -> list[str]:
        """The refresh tokens that were spent, in order."""
        return [form["refresh_token"] for _, form in self.requests if form.get("grant_type") == "refresh_token"]


class PublicClientProvider(Provider):
    """The same provider set up as production issuers are for a native app.

    The client authenticates with nothing but PKCE; refreshing yields an identity token and a new refresh token and
    spends the old one; refresh tokens can be revoked; discovery says all that.
    """

    def __init__(self) -> None:
        self.lifetime = timedelta(hours=1)
        self.challenges: dict[str, tuple[str | None, str | None]] = {}
        with (
            mock.patch.object(provider, "AuthorizationCodeGrant", self._code_grant()),
            mock.patch.object(provider, "RefreshTokenGrant", self._refresh_grant()),
        ):
            super().__init__()
        self.app.after_request(self._extend_discovery)
        self.app.add_url_rule("/revoke", view_func=self._revoke, methods=["POST"])

    def _identity_token(self) -> provider.OpenIDCode:
        return provider.OpenIDCode(require_nonce=False, token_max_age=self.lifetime)

    def _code_grant(self) -> type:
        issuer = self

        class Challenge(CodeChallenge):
            SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

            def get_authorization_code_challenge(self, authorization_code: Any) -> str | None:
                return issuer.challenges[authorization_code.code][0]

            def get_authorization_code_challenge_method(self, authorization_code: Any) -> str | None:
                return issuer.challenges[authorization_code.code][1]

        class Grant(provider.AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ["none"]

            def __init__(self, request: Any, server: Any) -> None:
                super().__init__(request, server)
                Challenge(required=True)(self)
                self.register_hook("after_create_token_response", issuer._shorten)

            def save_authorization_code(self, code: str, request: Any) -> None:
                super().save_authorization_code(code, request)
                data = request.payload.data
                issuer.challenges[code] = data.get("code_challenge"), data.get("code_challenge_method")

        return Grant

    def _refresh_grant(self) -> type:
        issuer = self

        class Grant(provider.RefreshTokenGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ["none"]
            INCLUDE_NEW_REFRESH_TOKEN = True

            def __init__(self, request: Any, server: Any) -> None:
                super().__init__(request, server)
                self.register_hook("after_create_token_response", issuer._shorten)

            def revoke_old_credential(self, refresh_token: Any) -> None:
                super().revoke_old_credential(refresh_token)
                provider.storage.remove_refresh_token(refresh_token.token)

        return Grant

    def _shorten(self, grant: Any, response: Any) -> None:
        self._identity_token().process_token(grant, response)

    def _extend_discovery(self, response: Any) -> Any:
        if provider.flask.request.path == "/.well-known/openid-configuration":
            document = response.get_json() | {
                "token_endpoint_auth_methods_supported": ["none"],
                "revocation_endpoint": f"{self.url}/revoke",
            }
            document["scopes_supported"] += ["groups", "offline_access"]
            response.set_data(json.dumps(document))
        return response

    def _revoke(self) -> str:
        provider.storage.remove_refresh_token(provider.flask.request.form["token"])
        return ""


class KeyPairIssuer:
    """A discovery document, a JWKS and nothing else; `mint` signs what the test asks for."""

    def __init__(self) -> None:
        self.key = generate_private_key(65537, 2048)
        self.metadata: dict[str, Any] = {"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}

    @contextlib.contextmanager
    def running(self) -> Iterator[KeyPairIssuer]:
        with serving(self._respond) as (self.url, _):
            yield self

    def mint(
        self,
        key: RSAPrivateKey | str | None = None,
        algorithm: str = "RS256",
        kid: str | None = "one",
        **changes: Any,
    ) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "sub": USER, "iat": now, "exp": now + 3600} | changes
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, self.key if key is None else key, algorithm, headers={"kid": kid} if kid else {})

    def _respond(self, request: BaseHTTPRequestHandler) -> tuple[int, Any]:
        if request.path == "/jwks":
            jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            return 200, {"keys": [jwk | {"kid": "one", "use": "sig", "alg": "RS256"}]}
        return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"} | self.metadata


@contextlib.contextmanager
def serving(respond: Any) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A web server on loopback: its URL, and the headers (lower case, plus `path`) of every request it got.

    `respond` gets the request and returns a status and a JSON value, or a status and a `Location` for 3xx.
    """
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
            status, answer = respond(self)
            body = b"" if 300 <= status < 400 else json.dumps(answer).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", answer)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Browser:
    """Follows the authorization URL in a thread, signs in as `user`, and keeps the last page."""

    def __init__(self, user: str = USER) -> None:
        self.user = user
        self.url: str | None = None
        self._page: Future[httpx.Response] = Future()

    def visit(self, url: str) -> None:
        self.url = url
        threading.Thread(target=self._sign_in, args=(url,), daemon=True).start()

    def page(self) -> httpx.Response:
        return self._page.result(timeout=10)

    def _sign_in(self, url: str) -> None:
        try:
            with httpx.Client(follow_redirects=True, timeout=10) as client:
                client.get(url).raise_for_status()
                self._page.set_result(client.post(url, data={"sub": self.user}))
        except Exception as error:
            self._page.set_exception(error)
