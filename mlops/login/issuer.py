"""The OIDC issuer as a public client sees it: discovery, tokens, verified identity tokens."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt

from mlops.errors import PlatformError
from mlops.login.store import Login
from mlops.web import client, private

SCOPES = ("openid", "email", "profile", "groups", "offline_access")
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS = 60
TIMEOUT_SECONDS = 10.0


class Issuer:
    """One issuer (`url`) and our public client there (`client_id`). Nothing is fetched before it is needed.

    Every method raises `PlatformError` when the issuer cannot be reached, refuses, or answers what it must not.
    """

    def __init__(self, url: str, client_id: str) -> None:
        self.url = private(url.rstrip("/"), "issuer")
        self.client_id = client_id

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """The issuer's discovery document (OpenID Connect Discovery 1.0, section 4)."""
        address = f"{self.url}/.well-known/openid-configuration"
        document = _answer(_send("GET", address), address)
        named = str(document.get("issuer", "")).rstrip("/")
        if named != self.url:
            raise PlatformError(f"{address}: names issuer {named!r}, expected {self.url!r}; check --issuer")
        return document

    def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where to send the browser (RFC 7636 with S256)."""
        supported = self.metadata.get("scopes_supported")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(scope for scope in SCOPES if supported is None or scope in supported),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    def redeem(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Login:
        """The login that the authorization `code` stands for."""
        tokens = self._tokens(
            grant_type="authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=verifier
        )
        login = self._login(tokens, previous_refresh_token=None)
        claims = self.verified(login.id_token)
        if claims.get("nonce") != nonce:
            raise PlatformError(
                f"{self.url}: the identity token answers another sign-in (nonce); run `mlops login` again"
            )
        return login

    def renew(self, login: Login) -> Login:
        """A login with a new identity token (OpenID Connect Core 1.0, section 12) for the same subject."""
        if login.refresh_token is None:
            raise PlatformError(f"{self.url} issued no refresh token")
        tokens = self._tokens(grant_type="refresh_token", refresh_token=login.refresh_token)
        renewed = self._login(tokens, previous_refresh_token=login.refresh_token)
        before, after = unverified(login.id_token).get("sub"), self.verified(renewed.id_token)["sub"]
        if before != after:
            raise PlatformError(f"{self.url}: renewed the login of {before!r} as {after!r}")
        return renewed

    def revoke(self, login: Login) -> bool:
        """Ends the refresh token at the issuer (RFC 7009); False when there is nothing to revoke or no way to."""
        if login.refresh_token is None or "revocation_endpoint" not in self.metadata:
            return False
        form = {"token": login.refresh_token, "token_type_hint": "refresh_token"}
        return self._post("revocation_endpoint", form).is_success

    def verified(self, id_token: str) -> dict[str, Any]:
        """The claims of `id_token`, after its signature, issuer, audience and times were checked."""
        offered = self.metadata.get("id_token_signing_alg_values_supported", ["RS256"])
        try:
            key = self._key(id_token)
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=[name for name in ALGORITHMS if name in offered],
                audience=self.client_id,
                issuer=self.metadata["issuer"],
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise PlatformError(f"{self.url}: its identity token cannot be trusted: {error}") from None
        if claims.get("azp", self.client_id) != self.client_id:
            raise PlatformError(
                f"{self.url}: its identity token was issued to {claims['azp']!r}, not {self.client_id!r}"
            )
        return claims

    def _key(self, id_token: str) -> jwt.PyJWK:
        """The key that `id_token` names; it may name none when the issuer has one only (OpenID Connect Core, 10.1)."""
        address = self._endpoint("jwks_uri")
        offered = jwt.PyJWKSet.from_dict(dict(_answer(_send("GET", address), address))).keys
        keys = [key for key in offered if key.public_key_use in {None, "sig"}]
        kid = jwt.get_unverified_header(id_token).get("kid")
        named = keys if kid is None else [key for key in keys if key.key_id == kid]
        if len(named) != 1:
            raise PlatformError(f"{self.url}: its identity token cannot be trusted: no single key for kid {kid!r}")
        return named[0]

    def _login(self, tokens: Mapping[str, Any], previous_refresh_token: str | None) -> Login:
        if not tokens.get("id_token"):
            raise PlatformError(f"{self.url}: answered without an identity token (`id_token`)")
        refresh_token = tokens.get("refresh_token") or previous_refresh_token
        return Login(self.url, self.client_id, id_token=tokens["id_token"], refresh_token=refresh_token)

    def _tokens(self, **form: str) -> Mapping[str, Any]:
        return _answer(self._post("token_endpoint", form), self._endpoint("token_endpoint"))

    def _post(self, endpoint: str, form: dict[str, str]) -> httpx.Response:
        """Sends `form` as a public client: its id in the form (RFC 6749, section 3.2.1).

        An issuer that lists no authentication methods wants `client_secret_basic` (OpenID Connect Discovery 1.0,
        section 3). A public client has no secret; its id, which is public, stands in.
        """
        address = self._endpoint(endpoint)
        if "token_endpoint_auth_methods_supported" in self.metadata:
            return _send("POST", address, data={**form, "client_id": self.client_id})
        return _send("POST", address, data=form, auth=(self.client_id, self.client_id))

    def _endpoint(self, name: str) -> str:
        if name not in self.metadata:
            raise PlatformError(f"{self.url}: its discovery document has no {name}")
        return private(str(self.metadata[name]), name)


def unverified(token: str) -> dict[str, Any]:
    """The claims of a JWT that was verified before, or that its receiver will verify.

    Raises:
        PlatformError: it is no JWT.
    """
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise PlatformError(f"not a JSON Web Token: {error}") from None
    return claims


def _send(method: str, url: str, **request: Any) -> httpx.Response:
    try:
        with client(TIMEOUT_SECONDS) as http:
            return http.request(method, url, **request)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PlatformError(f"{url}: no answer ({error or type(error).__name__})") from None


def _answer(response: httpx.Response, url: str) -> Mapping[str, Any]:
    """The JSON object in `response`; an OAuth error (RFC 6749, section 5.2) becomes a `PlatformError`."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.is_success and isinstance(body, dict):
        return body
    reason = (
        f"{body['error']}: {body.get('error_description', '')}" if isinstance(body, dict) and "error" in body else ""
    )
    raise PlatformError(f"{url}: HTTP {response.status_code}, expected a JSON object. {reason}".rstrip(". :"))
