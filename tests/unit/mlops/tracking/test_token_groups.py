"""The groups that a token's claim names, whatever form the issuer gives the claim."""

from __future__ import annotations

from typing import Any

import pytest

from mlops.tracking.identity_settings import IdentitySettings, Issuer, Team
from mlops.tracking.tokens import TokenVerifier
from tests.support.issuer import Provider

TEAMS = (Team(name="iris", roles={"editor": ("github:example/iris",)}),)


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
    provider: Provider, claim: Any, roles: dict[str, frozenset[str]]
) -> None:
    issuer = Issuer(
        url=provider.url,
        audiences=("mlflow",),
        username_claim="sub",
        groups_claim="repository",
        group_prefix="github:",
    )
    verifier = TokenVerifier(IdentitySettings(issuers=(issuer,), admins=(), teams=TEAMS))
    assert verifier.verify(f"Bearer {provider.token(repository=claim)}").roles == roles
