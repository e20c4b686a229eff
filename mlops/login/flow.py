"""Signing a person in: Authorization Code with PKCE through the system's browser and a loopback redirect (RFC 8252)."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from mlops.errors import PlatformError
from mlops.login.issuer import Issuer, unverified
from mlops.login.loopback import Loopback
from mlops.login.store import Login
from mlops.profile import CLI_REDIRECT


def sign_in(issuer: Issuer, visit: Callable[[str], None], *, timeout: float, redirect: str = CLI_REDIRECT) -> Login:
    """Sends a person to `issuer` and returns the login that they come back with.

    `visit` gets the URL to open and returns at once. `timeout` is in seconds; `redirect` is as for `Loopback`.

    Raises:
        PlatformError: nobody came back in time, the person or the issuer refused, or the answer cannot be trusted.
    """
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    with Loopback(state, redirect) as loopback:
        uri = loopback.redirect_uri
        visit(issuer.authorization_url(redirect_uri=uri, state=state, nonce=nonce, verifier=verifier))
        answer = loopback.wait(timeout)
        try:
            login = issuer.redeem(_code(issuer, answer), redirect_uri=uri, nonce=nonce, verifier=verifier)
        except PlatformError as error:
            loopback.show(title="Not signed in", detail=str(error), succeeded=False)
            raise
        detail = f"You are {name(unverified(login.id_token))}. You can close this page and go back to the terminal."
        loopback.show(title="Signed in", detail=detail, succeeded=True)
        return login


def name(claims: dict[str, object]) -> str:
    """What to call the person that `claims` describe."""
    return str(claims.get("email") or claims.get("preferred_username") or claims["sub"])


def _code(issuer: Issuer, answer: dict[str, str]) -> str:
    if answer.get("iss", issuer.url).rstrip("/") != issuer.url:  # RFC 9207: a mix-up of issuers
        raise PlatformError(f"the answer came from {answer['iss']!r}, expected {issuer.url!r}; run `mlops login` again")
    if "error" in answer:
        raise PlatformError(f"{issuer.url} refused: {answer['error']} {answer.get('error_description', '')}".rstrip())
    if not answer.get("code"):
        raise PlatformError(f"{issuer.url} sent the browser back without a code; run `mlops login` again")
    return answer["code"]
