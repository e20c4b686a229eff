"""MLflow's request-auth plugin (`MLFLOW_TRACKING_AUTH=mlops`): a bearer token on every request to the platform.

MLflow asks for auth on each request, whatever its host (an artifact location may name any server), so the token goes
only to the origins of the tracking and registry URIs in use, and a person's also to the platforms logged in to. On a
redirect elsewhere, requests drops it.
"""

from __future__ import annotations

import os
from functools import cache

from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
from requests import PreparedRequest
from requests.auth import AuthBase

from mlops.login.sources import Cached, choose, given
from mlops.login.store import LoginStore
from mlops.profile import origin


class BearerAuth(AuthBase):
    """Adds the token to requests whose origin is in `origins`; holds no token itself, so it can be pickled."""

    def __init__(self, origins: frozenset[str]) -> None:
        self.origins = origins

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        target = origin(request.url or "")
        if target in self.origins:
            request.headers["Authorization"] = f"Bearer {_source(target).bearer()}"
        return request


class MlopsAuthProvider(RequestAuthProvider):  # type: ignore[misc]  # mlflow ships no types
    """What the entry point `mlflow.request_auth_provider` names."""

    def get_name(self) -> str:
        return "mlops"

    def get_auth(self) -> BearerAuth:
        from mlflow.tracking import get_registry_uri, get_tracking_uri

        return _auth(get_tracking_uri(), get_registry_uri())


@cache
def _auth(*uris: str) -> BearerAuth:
    stored = LoginStore().all() if given() is None else ()
    return BearerAuth(frozenset(found for uri in (*uris, *stored) if (found := origin(uri))))


@cache
def _source(target: str) -> Cached:
    return Cached(choose(target))


if hasattr(os, "register_at_fork"):  # a lock that another thread holds during the fork would never be released
    os.register_at_fork(after_in_child=_source.cache_clear)
