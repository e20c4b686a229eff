"""Which claims count, and what they make of a user, checked against an issuer on loopback that publishes its keys."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mlops.tracking import tokens
from mlops.tracking.identity_settings import IdentitySettings, Team
from mlops.tracking.identity_settings import Issuer as Accepted
from mlops.tracking.tokens import InvalidToken, TokenVerifier


class Issuer:
    """Serves its discovery document and its keys; `token` signs whatever is asked."""

    def __init__(self) -> None:
        self.keys = {"k1": ec.generate_private_key(ec.SECP256R1())}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def token(self, **changes: Any) -> str:
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": "mlflow",
            "sub": "1",
            "email": "ada@example.com",
            "groups": ["scientists"],
        }
        claims |= {"exp": time.time() + 600, **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.keys["k1"], algorithm="ES256", headers={"kid": "k1"})

    def _jwks(self) -> dict[str, Any]:
        public = {
            name: json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())) for name, key in self.keys.items()
        }
        return {"keys": [{**value, "kid": name, "use": "sig", "alg": "ES256"} for name, value in public.items()]}

    def _handler(issuer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                discovery = self.path.startswith("/.well-known")
                body = json.dumps({"jwks_uri": f"{issuer.url}/jwks"} if discovery else issuer._jwks()).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    thread = threading.Thread(target=issuer.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()
    thread.join()


@pytest.fixture
def verifier(issuer: Issuer) -> TokenVerifier:
    accepted = Accepted(url=issuer.url, audiences=("mlflow",), username_claim="email", groups_claim="groups")
    teams = (Team(name="iris", roles={"editor": ("scientists",), "viewer": ("everyone",)}),)
    return TokenVerifier(IdentitySettings(issuers=(accepted,), admins=("platform-admins",), teams=teams))


def test_a_genuine_token_names_its_user_and_roles(verifier: TokenVerifier, issuer: Issuer) -> None:
    identity = verifier.verify(f"Bearer {issuer.token()}")
    assert identity.username == "ada@example.com"
    assert identity.roles == {"iris": frozenset({"editor"})}
    assert not identity.is_admin
    assert identity.authorized


def test_a_member_of_an_administrators_group_is_an_administrator(verifier: TokenVerifier, issuer: Issuer) -> None:
    assert verifier.verify(f"Bearer {issuer.token(groups=['platform-admins'])}").is_admin


def test_a_member_of_no_known_group_is_not_authorized(verifier: TokenVerifier, issuer: Issuer) -> None:
    assert not verifier.verify(f"Bearer {issuer.token(groups=['strangers'])}").authorized


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YWRhOng=", "Bearer not-a-token", "Bearer a.b.c"]
)
def test_what_is_no_bearer_token_proves_nothing(verifier: TokenVerifier, header: str | None) -> None:
    with pytest.raises(InvalidToken):
        verifier.verify(header)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://elsewhere.example.com"}, id="other issuer"),
        pytest.param({"aud": "another-application"}, id="other audience"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"exp": time.time() - 3600}, id="expired"),
        pytest.param({"exp": None}, id="never expires"),
        pytest.param({"sub": None}, id="no subject"),
        pytest.param({"email": None}, id="no user name"),
        pytest.param({"email": ["ada@example.com"]}, id="user name is no text"),
        pytest.param({"email_verified": False}, id="unverified address"),
    ],
)
def test_a_signed_token_that_does_not_fit_is_refused(
    verifier: TokenVerifier, issuer: Issuer, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken):
        verifier.verify(f"Bearer {issuer.token(**changes)}")


def test_a_token_signed_with_another_key_is_refused(verifier: TokenVerifier, issuer: Issuer) -> None:
    genuine = issuer.keys["k1"]
    issuer.keys["k1"] = ec.generate_private_key(ec.SECP256R1())
    forged = issuer.token()
    issuer.keys["k1"] = genuine
    with pytest.raises(InvalidToken):
        verifier.verify(f"Bearer {forged}")


def test_an_unsigned_token_is_refused(verifier: TokenVerifier, issuer: Issuer) -> None:
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    with pytest.raises(InvalidToken):
        verifier.verify(f"Bearer {jwt.encode(claims, '', algorithm='none', headers={'kid': 'k1'})}")


def test_a_remembered_token_still_expires(
    verifier: TokenVerifier, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token()
    verifier.verify(f"Bearer {token}")
    later = time.time() + 600 + tokens.LEEWAY_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(InvalidToken, match="expired"):
        verifier.verify(f"Bearer {token}")
