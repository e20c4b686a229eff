"""The groups that a token's claim names, whatever form the issuer gives the claim."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mlops.tracking.identity_settings import IdentitySettings, Issuer, Team
from mlops.tracking.tokens import TokenVerifier

URL = "https://ci.example.com"
SETTINGS = IdentitySettings(
    issuers=(
        Issuer(url=URL, audiences=("mlflow",), username_claim="sub", groups_claim="repository", group_prefix="github:"),
    ),
    admins=(),
    teams=(Team(name="iris", roles={"editor": ("github:example/iris",)}),),
)


@pytest.mark.parametrize(
    ("claim", "roles"),
    [
        ("example/iris", {"iris": frozenset({"editor"})}),
        (["example/iris", "example/other"], {"iris": frozenset({"editor"})}),
        ("example/other", {}),
        ("e", {}),
        (None, {}),
    ],
)
def test_a_claim_is_one_group_or_a_list_of_groups(
    claim: Any, roles: dict[str, frozenset[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    claims = {"iss": URL, "aud": "mlflow", "sub": "repo:x", "exp": time.time() + 60, "repository": claim}
    token = jwt.encode(claims, key, algorithm="ES256")
    verifier = TokenVerifier(SETTINGS)
    monkeypatch.setattr(verifier, "_key", lambda _issuer, _token: key.public_key())
    assert verifier.verify(f"Bearer {token}").roles == roles
