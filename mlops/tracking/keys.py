"""The signing keys of an OIDC issuer, fetched when they are needed and again when one no longer fits."""

from __future__ import annotations

import time
from threading import Lock

import httpx
import jwt

LIFESPAN_SECONDS = 300.0
REFETCH_SECONDS = 5.0
"""How soon keys may be fetched again for a signature that does not fit: forged tokens must not become requests."""


class IssuerUnavailable(Exception):
    """The issuer's keys could not be fetched, so no token of it can be checked now (HTTP 503)."""


class IssuerKeys:
    """The keys of the issuer at `url`. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: jwt.PyJWKSet | None = None
        self._fetched = 0.0
        self._lock = Lock()

    def candidates(self, token: str) -> list[jwt.PyJWK]:
        """The keys that may have signed `token`: the one it names, or the only one (RFC 7515, section 4.1.4).

        Raises:
            IssuerUnavailable: no keys are known and they cannot be fetched.
            jwt.PyJWTError: the token is malformed.
        """
        name = jwt.get_unverified_header(token).get("kid")
        keys = self._current(LIFESPAN_SECONDS)
        found = _named(keys, name)
        return found if found else _named(self._current(REFETCH_SECONDS), name)

    def refetched(self, token: str) -> list[jwt.PyJWK]:
        """As `candidates`, but of keys fetched anew (unless a moment ago): the issuer may have changed them."""
        return _named(self._current(REFETCH_SECONDS), jwt.get_unverified_header(token).get("kid"))

    def _current(self, lifespan: float) -> jwt.PyJWKSet:
        with self._lock:
            if self._keys is None or time.monotonic() - self._fetched > lifespan:
                self._keys = self._fetch()
                self._fetched = time.monotonic()
            return self._keys

    def _fetch(self) -> jwt.PyJWKSet:
        try:
            with httpx.Client(timeout=5) as client:
                document = client.get(f"{self._url}/.well-known/openid-configuration").raise_for_status().json()
                return jwt.PyJWKSet.from_dict(client.get(document["jwks_uri"]).raise_for_status().json())
        except (httpx.HTTPError, jwt.PyJWTError, KeyError, ValueError) as error:
            raise IssuerUnavailable(f"the keys of issuer {self._url} cannot be fetched: {error}") from None


def _named(keys: jwt.PyJWKSet, name: str | None) -> list[jwt.PyJWK]:
    if name is None:
        return keys.keys if len(keys.keys) == 1 else []
    return [key for key in keys.keys if key.key_id == name]
