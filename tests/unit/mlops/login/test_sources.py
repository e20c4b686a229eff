from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from mlops.errors import PlatformError
from mlops.login.flow import sign_in
from mlops.login.issuer import Issuer, unverified
from mlops.login.sources import Cached, GitHubActions, ProjectedFile, StoredLogin, Token, choose
from mlops.login.store import LoginStore
from tests.unit.mlops.login.oidc_servers import (
    CLIENT_ID,
    Browser,
    KeyPairIssuer,
    Provider,
    PublicClientProvider,
    serving,
)

PLATFORM = "https://mlflow.example.com"
GITHUB = {"ACTIONS_ID_TOKEN_REQUEST_URL": "u", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}


def due() -> dict[str, int]:
    """The times of a token that is valid for half a minute more: due for renewal."""
    now = int(time.time())
    return {"iat": now - 3600, "exp": now + 30}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "token"


def log_in(issuer: Provider, url: str = PLATFORM) -> None:
    store = LoginStore()
    login = sign_in(Issuer(issuer.url, CLIENT_ID), Browser().visit, timeout=10)
    with store.locked():
        store.put(url, login)


def make_due(**claims: int) -> None:
    """Replaces the stored identity token by one of the same person that is about to expire."""
    store = LoginStore()
    login = store.all()[PLATFORM]
    old = jwt.encode(unverified(login.id_token) | due() | claims, "x" * 32)
    with store.locked():
        store.put(PLATFORM, replace(login, id_token=old))


# A projected file


def test_projected_token_is_read_from_the_file(minting: KeyPairIssuer, token_file: Path) -> None:
    minted = minting.mint(aud="mlflow")
    token_file.write_text(minted + "\n")
    assert Cached(ProjectedFile(token_file)).bearer() == minted


def test_projected_token_that_is_not_due_needs_no_file(minting: KeyPairIssuer, token_file: Path) -> None:
    token_file.write_text(minted := minting.mint())
    cached = Cached(ProjectedFile(token_file))
    cached.bearer()
    token_file.unlink()
    assert cached.bearer() == minted


def test_projected_token_is_looked_at_again_every_minute(minting: KeyPairIssuer, token_file: Path) -> None:
    token_file.write_text(minting.mint())
    assert ProjectedFile(token_file).fetch().renew_at <= time.time() + 60


def test_rotated_projected_token_replaces_one_that_is_due(minting: KeyPairIssuer, token_file: Path) -> None:
    token_file.write_text(minting.mint(**due()))
    cached = Cached(ProjectedFile(token_file))
    cached.bearer()
    token_file.write_text(rotated := minting.mint(jti="rotated"))
    assert cached.bearer() == rotated


def test_valid_token_is_kept_while_its_source_fails(minting: KeyPairIssuer, token_file: Path) -> None:
    token_file.write_text(minted := minting.mint(**due()))
    cached = Cached(ProjectedFile(token_file))
    cached.bearer()
    token_file.unlink()
    assert cached.bearer() == minted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lambda minting: minting.mint(exp=int(time.time()) - 100), "the token expired 10[0-9] s ago"),
        (lambda minting: minting.mint(exp=None), "has no expiry"),
        (lambda minting: "not-a-token", "not a JSON Web Token"),
        (None, "cannot be read"),
    ],
    ids=["expired", "eternal", "garbage", "missing"],
)
def test_unusable_projected_token_is_named(
    minting: KeyPairIssuer, token_file: Path, text: Callable[[KeyPairIssuer], str] | None, message: str
) -> None:
    if text:
        token_file.write_text(text(minting))
    with pytest.raises(PlatformError, match=f"MLOPS_TOKEN_FILE={token_file}: .*{message}"):
        ProjectedFile(token_file).fetch()


# GitHub Actions


def test_job_asks_github_for_the_platforms_audience_once(minting: KeyPairIssuer) -> None:
    minted = minting.mint(aud="mlflow", exp=int(time.time()) + 300)
    with serving(lambda request: (200, {"value": minted})) as (url, seen):
        cached = Cached(GitHubActions(f"{url}/token?api-version=2.0", "request-token"))
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: cached.bearer(), range(32))) == {minted}
    assert [(request["path"], request["authorization"]) for request in seen] == [
        ("/token?api-version=2.0&audience=mlflow", "Bearer request-token")
    ]


@pytest.mark.parametrize("respond", [lambda _: (403, {"message": "no"}), lambda _: (200, {}), lambda _: (200, [])])
def test_refusing_github_is_named_without_the_request_token(respond: Callable[[Any], tuple[int, Any]]) -> None:
    with (
        serving(respond) as (url, _),
        pytest.raises(PlatformError, match="GitHub's OIDC issuer gave no token") as caught,
    ):
        GitHubActions(url, "request-token").fetch()
    assert "request-token" not in str(caught.value)


# A stored login


def test_login_that_is_not_due_is_used_as_it_is(issuer: PublicClientProvider) -> None:
    log_in(issuer)
    assert StoredLogin(PLATFORM).fetch().value == LoginStore().all()[PLATFORM].id_token
    assert issuer.refreshes() == []


def test_login_that_is_due_is_renewed_and_kept(issuer: PublicClientProvider) -> None:
    log_in(issuer)
    spent = LoginStore().all()[PLATFORM].refresh_token
    make_due()
    token = StoredLogin(PLATFORM).fetch()
    kept = LoginStore().all()[PLATFORM]
    assert Issuer(issuer.url, CLIENT_ID).verified(token.value)["email"] == "ada@example.com"
    assert (kept.id_token, kept.refresh_token != spent) == (token.value, True)


def test_single_use_refresh_token_is_spent_once_by_many(issuer: PublicClientProvider) -> None:
    log_in(issuer)
    make_due()
    with ThreadPoolExecutor(6) as pool:
        tokens = set(pool.map(lambda _: StoredLogin(PLATFORM).fetch().value, range(6)))
    assert len(tokens) == len(issuer.refreshes()) == 1


def test_issuer_without_identity_token_on_renewal_asks_to_log_in(bare_provider: Provider) -> None:
    log_in(bare_provider)
    make_due(exp=int(time.time()) - 1)
    with pytest.raises(PlatformError, match=rf"without an identity token .*run `mlops login {PLATFORM}`"):
        StoredLogin(PLATFORM).fetch()


def test_revoked_refresh_token_asks_to_log_in(issuer: PublicClientProvider) -> None:
    log_in(issuer)
    assert Issuer(issuer.url, CLIENT_ID).revoke(LoginStore().all()[PLATFORM])
    make_due()
    with pytest.raises(PlatformError, match=rf"invalid_grant.*run `mlops login {PLATFORM}`"):
        StoredLogin(PLATFORM).fetch()


def test_renewal_as_somebody_else_is_refused(issuer: PublicClientProvider) -> None:
    log_in(issuer)
    store = LoginStore()
    login = store.all()[PLATFORM]
    theirs = jwt.encode(unverified(login.id_token) | due() | {"sub": "eve@example.com"}, "x" * 32)
    with store.locked():
        store.put(PLATFORM, replace(login, id_token=theirs))
    with pytest.raises(PlatformError, match=r"renewed the login of 'eve@example.com' as 'ada@example.com'"):
        StoredLogin(PLATFORM).fetch()


def test_login_for_another_platform_does_not_count(issuer: PublicClientProvider) -> None:
    log_in(issuer, "https://other.example.com")
    with pytest.raises(PlatformError, match=f"not logged in to {PLATFORM}; run `mlops login"):
        StoredLogin(PLATFORM).fetch()


def test_github_job_without_permission_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(PlatformError, match="permissions: id-token: write"):
        choose(PLATFORM).fetch()


# Which of them


@pytest.mark.parametrize(
    ("env", "kind"),
    [
        ({"MLOPS_TOKEN_FILE": "/t", **GITHUB}, ProjectedFile),
        (GITHUB, GitHubActions),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "u"}, StoredLogin),
        ({}, StoredLogin),
    ],
)  # fmt: skip
def test_source_is_chosen_by_what_is_there(env: dict[str, str], kind: type) -> None:
    assert type(choose(PLATFORM, env)) is kind


def test_token_does_not_show_when_printed(minting: KeyPairIssuer) -> None:
    minted = minting.mint()
    assert minted not in repr(Token.of(minted))
