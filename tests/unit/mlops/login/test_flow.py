from __future__ import annotations

import socket
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mlops.errors import PlatformError
from mlops.login.flow import sign_in
from mlops.login.issuer import Issuer
from tests.unit.mlops.login.oidc_servers import CLIENT_ID, USER, Browser, Provider, PublicClientProvider

REDIRECT = "http://127.0.0.1:1/callback"


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_sign_in_yields_a_verified_login(issuer: PublicClientProvider) -> None:
    client, browser = Issuer(issuer.url, CLIENT_ID), Browser()
    login = sign_in(client, browser.visit, timeout=10)
    claims = client.verified(login.id_token)
    assert (claims["email"], claims["groups"], login.issuer) == (USER, ["scientists"], issuer.url)
    assert login.refresh_token


def test_issuer_that_lists_no_client_authentication_is_served_too(bare_provider: Provider) -> None:
    client, browser = Issuer(bare_provider.url, CLIENT_ID), Browser()
    login = sign_in(client, browser.visit, timeout=10)
    assert client.verified(login.id_token)["sub"] == USER


def test_browser_is_told_who_signed_in_by_a_page_that_loads_nothing(issuer: PublicClientProvider) -> None:
    browser = Browser()
    sign_in(Issuer(issuer.url, CLIENT_ID), browser.visit, timeout=10)
    page = browser.page()
    assert page.status_code == 200
    assert USER in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["cache-control"] == "no-store"


def test_scopes_that_the_issuer_does_not_list_are_not_asked_for(
    issuer: PublicClientProvider, bare_provider: Provider
) -> None:
    asked = [
        query(Issuer(url, CLIENT_ID).authorization_url(redirect_uri=REDIRECT, state="s", nonce="n", verifier="v"))
        for url in (issuer.url, bare_provider.url)
    ]
    assert asked[0]["scope"].split() == ["openid", "email", "profile", "groups", "offline_access"]
    assert asked[1]["scope"].split() == ["openid", "email", "profile"]


def test_code_is_worth_nothing_without_its_verifier(issuer: PublicClientProvider) -> None:
    client = Issuer(issuer.url, CLIENT_ID)
    url = client.authorization_url(redirect_uri=REDIRECT, state="s", nonce="n", verifier="v" * 43)
    assert query(url)["code_challenge_method"] == "S256"
    code = query(httpx.post(url, data={"sub": USER}).headers["location"])["code"]
    with pytest.raises(PlatformError, match="invalid_grant"):
        client.redeem(code, redirect_uri=REDIRECT, nonce="n", verifier="w" * 43)


def test_identity_token_for_another_nonce_is_refused(issuer: PublicClientProvider) -> None:
    client = Issuer(issuer.url, CLIENT_ID)
    url = client.authorization_url(redirect_uri=REDIRECT, state="s", nonce="theirs", verifier="v" * 43)
    code = query(httpx.post(url, data={"sub": USER}).headers["location"])["code"]
    with pytest.raises(PlatformError, match="nonce"):
        client.redeem(code, redirect_uri=REDIRECT, nonce="mine", verifier="v" * 43)


def test_answer_with_another_state_is_refused_and_changes_nothing(issuer: PublicClientProvider) -> None:
    browser = Browser()
    foreign: list[httpx.Response] = []

    def visit(url: str) -> None:
        callback = query(url)["redirect_uri"]
        foreign.append(httpx.get(callback, params={"state": "guessed", "code": "stolen"}))
        foreign.append(httpx.get(callback, params={"code": "stolen"}))
        foreign.append(httpx.get(callback.replace("/callback", "/favicon.ico")))
        browser.visit(url)

    assert sign_in(Issuer(issuer.url, CLIENT_ID), visit, timeout=10).id_token
    assert [response.status_code for response in foreign] == [400, 400, 404]


def answer(**changes: str) -> tuple[list[httpx.Response], object]:
    """A browser that comes back with the right state and `changes`, without having signed in."""
    import threading

    pages: list[httpx.Response] = []

    def come_back(url: str) -> None:
        asked = query(url)
        pages.append(httpx.get(asked["redirect_uri"], params={"state": asked["state"], **changes}))

    threads: list[threading.Thread] = []

    def visit(url: str) -> None:
        threads.append(threading.Thread(target=come_back, args=(url,)))
        threads[0].start()

    visit.join = lambda: threads[0].join(5)  # type: ignore[attr-defined]
    return pages, visit


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"error": "access_denied", "error_description": "<b>no</b>"}, "refused: access_denied <b>no</b>"),
        ({"code": "c", "iss": "https://elsewhere.example.com"}, "came from 'https://elsewhere.example.com'"),
        ({"code": "never-issued"}, "invalid_grant"),
        ({}, "without a code"),
    ],
)
def test_refusal_reaches_both_the_terminal_and_the_browser(
    issuer: PublicClientProvider, changes: dict[str, str], message: str
) -> None:
    pages, visit = answer(**changes)
    with pytest.raises(PlatformError, match=message):
        sign_in(Issuer(issuer.url, CLIENT_ID), visit, timeout=10)
    visit.join()
    assert "Not signed in" in pages[0].text
    assert "<b>" not in pages[0].text


def test_nobody_coming_back_ends_with_what_to_do(issuer: PublicClientProvider) -> None:
    with pytest.raises(PlatformError, match=r"within 0\.05 s; run `mlops login` again"):
        sign_in(Issuer(issuer.url, CLIENT_ID), lambda url: None, timeout=0.05)


def test_taken_port_is_named(issuer: PublicClientProvider) -> None:
    port = issuer.server.server_port
    with pytest.raises(PlatformError, match=rf"cannot listen on 127\.0\.0\.1:{port} for --redirect"):
        sign_in(
            Issuer(issuer.url, CLIENT_ID), lambda url: None, timeout=1, redirect=f"http://127.0.0.1:{port}/callback"
        )


def test_issuer_that_knows_one_redirect_gets_that_one(issuer: PublicClientProvider) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        redirect = f"http://localhost:{free.getsockname()[1]}/signed-in"
    browser = Browser()
    sign_in(Issuer(issuer.url, CLIENT_ID), browser.visit, timeout=10, redirect=redirect)
    assert browser.url
    assert query(browser.url)["redirect_uri"] == redirect
    assert "Signed in" in browser.page().text


@pytest.mark.parametrize(
    "redirect",
    [
        "https://127.0.0.1:1/x",
        "http://evil.example.com:1/x",
        "http://127.0.0.1/x",
        "http://localhost:1",
        "http://[:1/x",
    ],
)
def test_redirect_away_from_this_machine_is_refused(issuer: PublicClientProvider, redirect: str) -> None:
    with pytest.raises(PlatformError, match="must be http on 127"):
        sign_in(Issuer(issuer.url, CLIENT_ID), lambda url: None, timeout=1, redirect=redirect)
