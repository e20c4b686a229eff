"""Keys of an issuer that changes them, against a real HTTP server that publishes real key sets."""

from __future__ import annotations

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mlops.tracking import keys
from mlops.tracking.identity_settings import IdentitySettings
from mlops.tracking.keys import IssuerUnavailable
from mlops.tracking.tokens import InvalidToken, TokenVerifier
from tests.support.issuer import Provider


def verifier(provider: Provider) -> TokenVerifier:
    issuer = {"url": provider.url, "audiences": ["mlflow"], "username_claim": "email", "groups_claim": "groups"}
    team = {"name": "iris", "roles": {"editor": ["a"]}}
    return TokenVerifier(IdentitySettings.model_validate({"issuers": [issuer], "admins": [], "teams": [team]}))


def bearer(token: str) -> str:
    return f"Bearer {token}"


@pytest.mark.parametrize("kid", [None, "first"])
def test_a_token_is_verified_with_or_without_a_named_key(provider: Provider, kid: str | None) -> None:
    provider.rotate(kid)
    assert verifier(provider).verify(bearer(provider.token())).username == "grace@example.com"


@pytest.mark.parametrize("kids", [(None, None), ("first", "second")])
def test_an_issuer_that_changed_its_key_is_believed_again(
    provider: Provider, kids: tuple[str | None, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "REFETCH_SECONDS", -1.0)
    provider.rotate(kids[0])
    verifying = verifier(provider)
    verifying.verify(bearer(provider.token()))
    provider.rotate(kids[1])
    assert verifying.verify(bearer(provider.token())).roles == {"iris": frozenset({"editor"})}


def test_forged_tokens_do_not_become_requests_to_the_issuer(provider: Provider) -> None:
    verifying = verifier(provider)
    verifying.verify(bearer(provider.token()))
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for attempt in range(20):
        claims = jwt.decode(provider.token(), options={"verify_signature": False}) | {"jti": str(attempt)}
        with pytest.raises(InvalidToken):
            verifying.verify(bearer(jwt.encode(claims, stranger, algorithm="RS256")))
    assert provider.requests == 1


def test_a_verified_token_is_not_verified_again(provider: Provider) -> None:
    verifying = verifier(provider)
    token = provider.token()
    first = verifying.verify(bearer(token))
    assert verifying.verify(bearer(token)) is first


def test_an_issuer_that_is_down_is_told_apart_from_a_bad_token(provider: Provider) -> None:
    token = provider.token()
    verifying = verifier(provider)
    provider.shutdown()
    provider.server_close()
    with pytest.raises(IssuerUnavailable, match=r"cannot be fetched"):
        verifying.verify(bearer(token))


@pytest.mark.parametrize("header", [None, "", "Basic eDp5", "Bearer", "Bearer a.b", "Bearer a.b.c"])
def test_what_is_no_token_is_refused(provider: Provider, header: str | None) -> None:
    with pytest.raises(InvalidToken):
        verifier(provider).verify(header)


def test_a_shared_secret_signature_with_the_public_key_is_refused(provider: Provider) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = provider.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(provider.token(), options={"verify_signature": False})
    forged = jwt.api_jws.PyJWS()
    forged._algorithms["HS256"].prepare_key = lambda key: key  # type: ignore[method-assign]
    token = forged.encode(json.dumps(claims).encode(), public, algorithm="HS256")
    with pytest.raises(InvalidToken):
        verifier(provider).verify(bearer(token))
