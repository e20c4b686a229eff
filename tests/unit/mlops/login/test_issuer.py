from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from mlops.errors import PlatformError
from mlops.login.issuer import Issuer
from tests.unit.mlops.login.oidc_servers import CLIENT_ID, USER, KeyPairIssuer


def test_identity_token_of_the_issuer_is_trusted(minting: KeyPairIssuer) -> None:
    assert Issuer(minting.url, CLIENT_ID).verified(minting.mint())["sub"] == USER


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "mlflow"},
        {"iss": "https://elsewhere.example.com"},
        {"exp": int(time.time()) - 120},
        {"iat": int(time.time()) + 86_400},
        {"sub": None},
        {"exp": None},
        {"aud": [CLIENT_ID, "other"], "azp": "other"},
    ],
    ids=["audience", "issuer", "expired", "from-the-future", "no-subject", "no-expiry", "other-party"],
)
def test_identity_token_with_wrong_claims_is_refused(minting: KeyPairIssuer, changes: dict[str, object]) -> None:
    with pytest.raises(PlatformError, match=r"cannot be trusted|issued to"):
        Issuer(minting.url, CLIENT_ID).verified(minting.mint(**changes))


def test_identity_token_signed_by_another_key_is_refused(minting: KeyPairIssuer) -> None:
    with pytest.raises(PlatformError, match="Signature verification failed"):
        Issuer(minting.url, CLIENT_ID).verified(minting.mint(key=generate_private_key(65537, 2048)))


def test_unsigned_identity_token_is_refused_even_if_the_issuer_offers_it(minting: KeyPairIssuer) -> None:
    with pytest.raises(PlatformError, match="cannot be trusted"):
        Issuer(minting.url, CLIENT_ID).verified(minting.mint(key="", algorithm="none"))


def test_public_key_is_no_shared_secret(minting: KeyPairIssuer) -> None:
    """CVE-2015-9235: an HMAC keyed with the public key must not pass for a signature."""
    import base64
    import hashlib
    import hmac
    import json

    public = minting.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _, payload, _ = minting.mint().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "one"}).encode()).rstrip(b"=").decode()
    signature = hmac.new(public, f"{header}.{payload}".encode(), hashlib.sha256).digest()
    forged = f"{header}.{payload}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(PlatformError, match="cannot be trusted"):
        Issuer(minting.url, CLIENT_ID).verified(forged)


def test_discovery_must_name_the_issuer_that_was_asked(minting: KeyPairIssuer) -> None:
    with pytest.raises(PlatformError, match=r"names issuer 'http://127.0.0.1:\d+', expected 'http://localhost"):
        _ = Issuer(minting.url.replace("127.0.0.1", "localhost"), CLIENT_ID).metadata


@pytest.mark.parametrize("url", ["http://sso.example.com", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "sso"])
def test_issuer_is_reached_over_tls_or_loopback_only(url: str) -> None:
    with pytest.raises(PlatformError, match="must be https"):
        Issuer(url, CLIENT_ID)


def test_endpoint_in_plain_http_elsewhere_is_refused(minting: KeyPairIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(minting.metadata, "authorization_endpoint", "http://sso.example.com/authorize")
    with pytest.raises(PlatformError, match=r"authorization_endpoint 'http://sso.example.com/authorize' must be https"):
        Issuer(minting.url, CLIENT_ID).authorization_url(redirect_uri="x", state="s", nonce="n", verifier="v")


def test_identity_token_without_key_id_is_trusted_if_there_is_one_key(minting: KeyPairIssuer) -> None:
    assert Issuer(minting.url, CLIENT_ID).verified(minting.mint(kid=None))["sub"] == USER


def test_identity_token_that_names_an_unknown_key_is_refused(minting: KeyPairIssuer) -> None:
    with pytest.raises(PlatformError, match="no single key for kid 'two'"):
        Issuer(minting.url, CLIENT_ID).verified(minting.mint(kid="two"))


def test_silent_issuer_is_named() -> None:
    with pytest.raises(PlatformError, match=r"http://127.0.0.1:9/.well-known/openid-configuration: no answer"):
        _ = Issuer("http://127.0.0.1:9", CLIENT_ID).metadata
