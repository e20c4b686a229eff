"""Verifies bearer tokens: a signed JWT of a known issuer and audience becomes an `Identity`, anything else an error."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import jwt
from cachetools import TTLCache

from mlops.tracking.identity_settings import IdentitySettings, Issuer
from mlops.tracking.keys import IssuerKeys

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Asymmetric only: accepting HS* beside a public key is the classic confusion (RFC 8725, section 2.1)."""

LEEWAY_SECONDS = 30


class InvalidToken(Exception):
    """The request carries no token, or one that proves nothing (HTTP 401)."""


@dataclass(frozen=True)
class Identity:
    """Who sends a request. `roles` maps each workspace to the roles held there; empty means known to no team."""

    username: str
    is_admin: bool
    roles: Mapping[str, frozenset[str]]
    expires: float
    """Seconds since the epoch."""

    @property
    def authorized(self) -> bool:
        """Whether this identity may use the platform at all."""
        return self.is_admin or bool(self.roles)


class TokenVerifier:
    """Turns tokens into identities; remembers each verified token until it expires. Safe to share between threads."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._settings = settings
        self._keys = {issuer.url: IssuerKeys(issuer.url) for issuer in settings.issuers}
        self._verified: TTLCache[bytes, Identity] = TTLCache(maxsize=10_000, ttl=3600)
        self._lock = Lock()

    def verify(self, authorization: str | None) -> Identity:
        """The identity that the `Authorization` header proves.

        Raises:
            InvalidToken: no bearer token, or it is malformed, expired, unsigned, of another issuer or audience.
            IssuerUnavailable: the issuer's keys cannot be fetched.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise InvalidToken("no bearer token; sign in first, for example with `mlops login`")
        digest = hashlib.sha256(token.encode()).digest()
        with self._lock:
            known = self._verified.get(digest)
        if known is None:
            known = self._identity(token)
            with self._lock:
                self._verified[digest] = known
        if known.expires + LEEWAY_SECONDS < time.time():
            raise InvalidToken("the token has expired; sign in again")
        return known

    def _identity(self, token: str) -> Identity:
        try:
            issuer = self._issuer(jwt.decode(token, options={"verify_signature": False}))
            keys = self._keys[issuer.url]
            try:
                claims = self._claims(issuer, token, keys.candidates(token))
            except jwt.InvalidSignatureError:
                claims = self._claims(issuer, token, keys.refetched(token))
        except jwt.PyJWTError as error:
            raise InvalidToken(f"the token is not valid: {error}") from None
        return self._authorize(issuer, claims)

    def _claims(self, issuer: Issuer, token: str, keys: list[jwt.PyJWK]) -> dict[str, Any]:
        if not keys:
            raise jwt.InvalidTokenError("it is signed by no key of the issuer")
        claims: dict[str, Any] = jwt.decode(
            token,
            keys[0],
            algorithms=ALGORITHMS,
            audience=list(issuer.audiences),
            issuer=issuer.url,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        return claims

    def _issuer(self, claims: Mapping[str, Any]) -> Issuer:
        audience = claims.get("aud")
        audiences = {audience} if isinstance(audience, str) else set(audience or ())
        for issuer in self._settings.issuers:
            if issuer.url == claims.get("iss") and audiences & set(issuer.audiences):
                return issuer
        raise InvalidToken(
            f"the token is of issuer {claims.get('iss')!r} for {sorted(audiences)}, which is not accepted"
        )

    def _authorize(self, issuer: Issuer, claims: Mapping[str, Any]) -> Identity:
        name = claims.get(issuer.username_claim)
        if not isinstance(name, str) or not name:
            raise InvalidToken(f"the token has no claim {issuer.username_claim!r} to name the user")
        if issuer.username_claim == "email" and claims.get("email_verified") is False:
            raise InvalidToken(f"the identity provider has not verified the address {name!r}")
        username = issuer.username_prefix + name
        listed = claims.get(issuer.groups_claim)
        if isinstance(listed, str):  # GitHub's `repository` is one name, not a list of names
            listed = [listed]
        groups = {issuer.group_prefix + str(group) for group in listed} if isinstance(listed, list) else set()
        roles: dict[str, set[str]] = {}
        for team in self._settings.teams:
            held = {role for role, holders in team.roles.items() if groups & set(holders)}
            if held:
                roles[team.name] = set(held)
        for workspace, role in issuer.principals.get(username, {}).items():
            roles.setdefault(workspace, set()).add(role)
        return Identity(
            username=username,
            is_admin=bool(groups & set(self._settings.admins)),
            roles={workspace: frozenset(held) for workspace, held in roles.items()},
            expires=float(claims["exp"]),
        )
