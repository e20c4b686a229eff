"""Where a bearer token comes from: a projected file, the CI system or a person's login, each behind a cache."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from mlops.errors import PlatformError
from mlops.login.issuer import Issuer, unverified
from mlops.login.store import Login, LoginStore
from mlops.profile import origin

AUDIENCE = "mlflow"
MARGIN_SECONDS = 60.0
FILE_SECONDS = 60.0
RETRY_SECONDS = 10.0


@dataclass(frozen=True)
class Token:
    """A bearer token; `renew_at` and `expires_at` are seconds since the epoch."""

    value: str = field(repr=False)
    renew_at: float
    expires_at: float

    @classmethod
    def of(cls, jwt: str) -> Token:
        """The token in `jwt`, to be renewed a minute (for a short-lived one: a fifth of its life) before it expires.

        Raises:
            PlatformError: it is no JWT or never expires.
        """
        claims = unverified(jwt)
        if "exp" not in claims:
            raise PlatformError("the token has no expiry (`exp`)")
        expires = float(claims["exp"])
        life = expires - float(claims.get("iat", expires - MARGIN_SECONDS))
        return cls(jwt, renew_at=expires - min(MARGIN_SECONDS, life / 5), expires_at=expires)


class TokenSource(Protocol):
    """Supplies bearer tokens of one identity."""

    def fetch(self) -> Token:
        """A token that is valid now. May read files and talk to an issuer.

        Raises:
            PlatformError: there is none, with what to do about it.
        """


class ProjectedFile:
    """A token that the runtime keeps fresh in a file (Kubernetes: a projected service account token).

    It is read again every minute, as Kubernetes' own clients do, because the file may change before the token expires.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fetch(self) -> Token:
        try:
            token = Token.of(self.path.read_text().strip())
        except (OSError, UnicodeDecodeError) as error:
            raise PlatformError(f"MLOPS_TOKEN_FILE={self.path}: cannot be read ({error})") from None
        except PlatformError as error:
            raise PlatformError(f"MLOPS_TOKEN_FILE={self.path}: {error}") from None
        now = time.time()
        if token.expires_at <= now:
            raise PlatformError(
                f"MLOPS_TOKEN_FILE={self.path}: the token expired {now - token.expires_at:.0f} s ago; "
                "whatever projects it has stopped renewing it"
            )
        return replace(token, renew_at=min(token.renew_at, now + FILE_SECONDS))


class GitHubActions:
    """The OIDC token of a GitHub Actions job that has `permissions: id-token: write`.

    Source: docs.github.com, "OpenID Connect reference", ACTIONS_ID_TOKEN_REQUEST_URL.
    """

    def __init__(self, url: str, request_token: str) -> None:
        self.url = url
        self._request_token = request_token

    def fetch(self) -> Token:
        import httpx
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

        attempts = Retrying(
            retry=retry_if_exception_type(httpx.TransportError),
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            reraise=True,
        )
        headers = {"Authorization": f"Bearer {self._request_token}"}
        url = httpx.URL(self.url).copy_merge_params({"audience": AUDIENCE})
        try:
            response = attempts(httpx.get, url, headers=headers, timeout=10.0).raise_for_status()
            return Token.of(response.json()["value"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise PlatformError(f"GitHub's OIDC issuer gave no token ({type(error).__name__}: {error})") from None


class StoredLogin:
    """The login that `mlops login` stored for the platform at `origin`, renewed by its refresh token."""

    def __init__(self, origin: str, store: LoginStore | None = None) -> None:
        self.origin = origin
        self._store = store or LoginStore()

    def fetch(self) -> Token:
        token = Token.of(self._find()[1].id_token)
        return token if time.time() < token.renew_at else self._renewed()

    def _renewed(self) -> Token:
        with self._store.locked():
            url, login = self._find()
            token = Token.of(login.id_token)
            if time.time() < token.renew_at:  # another process was faster
                return token
            try:
                renewed = Issuer(login.issuer, login.client_id).renew(login)
            except PlatformError as error:
                raise PlatformError(
                    f"the login for {url} cannot be renewed ({error}); run `mlops login {url}`"
                ) from None
            self._store.put(url, renewed)
            return Token.of(renewed.id_token)

    def _find(self) -> tuple[str, Login]:
        for url, login in self._store.all().items():
            if origin(url) == self.origin:
                return url, login
        hint = "give the job `permissions: id-token: write`, or " if os.environ.get("GITHUB_ACTIONS") else ""
        raise PlatformError(f"not logged in to {self.origin}; {hint}run `mlops login {self.origin}`")


class Cached:
    """A source whose token is kept until it is due; then one thread renews it while the others wait.

    When renewing fails, a token that is still valid is kept and the next try is `RETRY_SECONDS` later.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._token: Token | None = None
        self._lock = threading.Lock()

    def bearer(self) -> str:
        """A valid token; without disk or network as long as the last one is not due.

        Raises:
            PlatformError: as `TokenSource.fetch`.
        """
        token = self._token
        if token is not None and time.time() < token.renew_at:
            return token.value
        with self._lock:
            token, now = self._token, time.time()
            if token is None or now >= token.renew_at:
                token = self._token = self._fetch(token, now)
            return token.value

    def _fetch(self, last: Token | None, now: float) -> Token:
        try:
            return self._source.fetch()
        except PlatformError:
            if last is None or now >= last.expires_at:
                raise
            return replace(last, renew_at=min(last.expires_at, now + RETRY_SECONDS))


def choose(target: str, env: Mapping[str, str] = os.environ) -> TokenSource:
    """The source for requests to `target`, an origin: what the machine was given, else the stored login."""
    return given(env) or StoredLogin(target)


def given(env: Mapping[str, str] = os.environ) -> TokenSource | None:
    """The identity that a runtime gave this process: a projected file, else the CI system's; None for a person."""
    if path := env.get("MLOPS_TOKEN_FILE"):
        return ProjectedFile(Path(path))
    url, request_token = env.get("ACTIONS_ID_TOKEN_REQUEST_URL"), env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if url and request_token:
        return GitHubActions(url, request_token)
    return None
