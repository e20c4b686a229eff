"""Brings both databases to the schema of the installed MLflow, and makes the teams' workspaces and roles.

Runs as one job before the server starts: concurrent first migrations of MLflow fail, and the server refuses an outdated
schema. Running it again changes nothing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlops.registry import ledger
from mlops.tracking.identity_settings import IdentitySettings, Role, identity_settings
from mlops.tracking.server import ADMINISTRATOR, prepare

if TYPE_CHECKING:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore as AuthStore

RESOURCES = ("experiment", "registered_model", "prompt", "scorer", "mcp_server")
GRANTS: Mapping[Role, tuple[tuple[str, str], ...]] = {
    "viewer": tuple((resource, "READ") for resource in RESOURCES),
    "editor": (("workspace", "USE"), *((resource, "EDIT") for resource in RESOURCES)),
    "approver": (("workspace", "USE"), *((resource, "EDIT") for resource in RESOURCES)),
    "admin": (("workspace", "MANAGE"),),
}
"""What each role may do in its workspace. `workspace: USE` is what lets a member create things there."""


def migrate() -> None:
    """Migrates and reconciles; safe to repeat.

    Raises:
        PlatformError: a required variable is missing, or the identity settings are not usable.
    """
    os.environ.update(prepare(os.environ))
    from mlflow.server.auth import store as auth_store
    from mlflow.store.db import utils
    from mlflow.store.workspace.sqlalchemy_store import SqlAlchemyStore as WorkspaceStore

    backend = os.environ["MLFLOW_BACKEND_STORE_URI"]
    engine = utils.create_sqlalchemy_engine_with_retry(backend)
    utils._safe_initialize_tables(engine)
    utils._upgrade_db(engine)
    ledger.migrate(engine)
    auth_store.init_db(os.environ["MLOPS_AUTH_DATABASE_URI"])
    if not auth_store.has_user(ADMINISTRATOR):
        auth_store.create_user(ADMINISTRATOR, secrets.token_urlsafe(32), is_admin=True)
    settings = identity_settings()
    _make_workspaces(WorkspaceStore(backend), settings)
    for team in settings.teams:
        _make_roles(auth_store, team.name)


def _make_workspaces(store: object, settings: IdentitySettings) -> None:
    from mlflow.entities.workspace import Workspace

    existing = {workspace.name for workspace in store.list_workspaces()}  # type: ignore[attr-defined]
    for team in settings.teams:
        if team.name not in existing:
            store.create_workspace(Workspace(name=team.name, description=f"Team {team.name}"))  # type: ignore[attr-defined]


def _make_roles(store: AuthStore, workspace: str) -> None:
    existing = {role.name: role for role in store.list_roles([workspace])}
    for name, grants in GRANTS.items():
        role = existing.get(name) or store.create_role(name, workspace, description=f"{name} of team {workspace}")
        held = {(grant.resource_type, grant.permission): grant.id for grant in store.list_role_permissions(role.id)}
        for grant, permission_id in held.items():
            if grant not in grants:
                store.remove_role_permission(permission_id)
        for resource, permission in grants:
            if (resource, permission) not in held:
                store.add_role_permission(role.id, resource, "*", permission)
