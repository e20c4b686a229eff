"""MLflow's `authorization_function`: who sends this request, proven by the token itself.

Nothing but a verified token names a user. `X-Forwarded-*` and other headers are never read, so that reaching MLflow's
port directly yields no one's identity. A user is provisioned in MLflow's own store on the first request, with the roles
that the token's groups hold; an identity that belongs to no team gets 403, never a default role.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING

from cachetools import TTLCache
from flask import Response, g, jsonify, request
from werkzeug.datastructures import Authorization

from mlops.login.page import page
from mlops.tracking.identity_settings import identity_settings
from mlops.tracking.keys import IssuerUnavailable
from mlops.tracking.tokens import Identity, InvalidToken, TokenVerifier

if TYPE_CHECKING:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

_provisioned: TTLCache[object, bool] = TTLCache(maxsize=10_000, ttl=300)
_provisioning = Lock()


def authenticate() -> Authorization | Response:
    """The verified user of the current Flask request, or the response that refuses it (401, 403 or 503)."""
    try:
        identity = current()
    except InvalidToken as error:
        response = _refusal(401, "UNAUTHENTICATED", str(error))
        response.headers["WWW-Authenticate"] = 'Bearer realm="mlflow"'
        return response
    except IssuerUnavailable as error:
        return _refusal(503, "TEMPORARILY_UNAVAILABLE", str(error))
    if not identity.authorized:
        return _stranger(identity.username)
    _provision(identity)
    return Authorization("bearer", {"username": identity.username})


def current() -> Identity:
    """The identity of the current Flask request.

    Raises:
        InvalidToken, IssuerUnavailable: as `TokenVerifier.verify`.
    """
    identity = g.get("mlops_identity")
    if not isinstance(identity, Identity):
        identity = _verifier().verify(request.headers.get("Authorization"))
        g.mlops_identity = identity
    return identity


@lru_cache(maxsize=1)
def _verifier() -> TokenVerifier:
    return TokenVerifier(identity_settings())


def _stranger(username: str) -> Response:
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) != "text/html":
        return _refusal(403, "PERMISSION_DENIED", f"{username} belongs to no team of this platform")
    detail = f"{username} belongs to no team of this platform. Ask the team that you work with to add you to its group."
    html = page(title="No access", detail=detail, succeeded=False, action=("Sign out", "/oauth2/sign_out"))
    return Response(html, status=403, mimetype="text/html", headers={"Cache-Control": "no-store"})


def _refusal(status: int, code: str, message: str) -> Response:
    response = jsonify({"error_code": code, "message": message})
    response.status_code = status
    return response


def _provision(identity: Identity) -> None:
    key = (identity.username, identity.is_admin, frozenset(identity.roles.items()))
    if key in _provisioned:
        return
    from mlflow.server.auth import store

    with _provisioning:
        synchronize(store, identity)
        _provisioned[key] = True


def synchronize(store: SqlAlchemyStore, identity: Identity) -> None:
    """Makes the user in MLflow's store be what the token says: the same roles, no more and no fewer.

    Grants that MLflow gave a user for creating something count only while the user holds a role in that workspace.
    """
    from mlflow.exceptions import MlflowException

    if not store.has_user(identity.username):
        _unless_exists(
            lambda: store.create_user(identity.username, secrets.token_urlsafe(32), is_admin=identity.is_admin)
        )
    user = type(store).get_user(store, identity.username)  # as it is, not as `caching` remembers it
    if user.is_admin != identity.is_admin:
        store.update_user(identity.username, is_admin=identity.is_admin)
    wanted = {(workspace, role) for workspace, held in identity.roles.items() for role in held}
    assigned = {(role.workspace, role.name): role.id for role in store.list_user_roles(user.id)}
    for (workspace, name), role_id in assigned.items():
        owner_grant = name.startswith("__user_") and workspace in identity.roles
        if (workspace, name) not in wanted and not owner_grant:
            store.unassign_role_from_user(user.id, role_id)
    for workspace, name in wanted - assigned.keys():
        try:
            role = store.get_role_by_name(workspace, name)
        except MlflowException:
            continue  # a team that the migration has not made yet: no role, hence no access
        _unless_exists(partial(store.assign_role_to_user, user.id, role.id))


def _unless_exists(change: Callable[[], object]) -> None:
    """Runs `change`; another worker that made the same user or assignment first is no error."""
    from mlflow.exceptions import MlflowException

    try:
        change()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
