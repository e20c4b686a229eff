"""A user in MLflow's own store becomes what the token says, no more and no less."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.workspace_context import WorkspaceContext

from mlops.tracking import caching
from mlops.tracking.identity import synchronize
from mlops.tracking.tokens import Identity

GRACE = "grace@example.com"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    store = SqlAlchemyStore()
    store.init_db(f"sqlite:///{tmp_path / 'auth.db'}")
    for workspace in ("iris", "vision"):
        for role in ("viewer", "editor"):
            store.create_role(role, workspace)
    return store


def identity(roles: Mapping[str, set[str]], is_admin: bool = False) -> Identity:
    held = {workspace: frozenset(names) for workspace, names in roles.items()}
    return Identity(GRACE, is_admin, held, expires=2**40)


def held(store: Any) -> set[tuple[str, str]]:
    user = type(store).get_user(store, GRACE)
    return {(role.workspace, role.name) for role in store.list_user_roles(user.id)}


def test_a_new_user_is_made_with_the_roles_of_the_token(store: Any) -> None:
    synchronize(store, identity({"iris": {"editor"}, "vision": {"viewer"}}))
    assert held(store) == {("iris", "editor"), ("vision", "viewer")}
    assert not store.get_user(GRACE).is_admin


def test_doing_it_again_changes_nothing(store: Any) -> None:
    for _ in range(2):
        synchronize(store, identity({"iris": {"editor"}}))
    assert held(store) == {("iris", "editor")}
    assert [user.username for user in store.list_users()] == [GRACE]


def test_a_role_that_the_token_no_longer_names_is_taken_away(store: Any) -> None:
    synchronize(store, identity({"iris": {"editor", "viewer"}, "vision": {"viewer"}}))
    synchronize(store, identity({"iris": {"viewer"}}))
    assert held(store) == {("iris", "viewer")}


@pytest.mark.parametrize("promoted", [True, False])
def test_an_administrator_is_one_as_long_as_the_token_says_so(store: Any, promoted: bool) -> None:
    synchronize(store, identity({"iris": {"viewer"}}, is_admin=not promoted))
    synchronize(store, identity({"iris": {"viewer"}}, is_admin=promoted))
    assert store.get_user(GRACE).is_admin is promoted


def test_what_the_cache_remembers_does_not_hide_a_change_made_elsewhere(store: Any, tmp_path: Path) -> None:
    synchronize(store, identity({"iris": {"viewer"}}))
    caching.remember(store, ("get_user", "list_grants"))
    assert not store.get_user(GRACE).is_admin
    elsewhere = SqlAlchemyStore()
    elsewhere.init_db(f"sqlite:///{tmp_path / 'auth.db'}")
    elsewhere.update_user(GRACE, is_admin=True)
    synchronize(store, identity({"iris": {"viewer"}}))
    assert not elsewhere.get_user(GRACE).is_admin


def test_grants_for_own_creations_last_as_long_as_the_membership(store: Any) -> None:
    synchronize(store, identity({"iris": {"editor"}, "vision": {"editor"}}))
    for workspace in ("iris", "vision"):
        with WorkspaceContext(workspace):
            store.grant_user_permission(GRACE, "experiment", "1", "MANAGE")  # as MLflow does for a creator
    own = held(store) - {("iris", "editor"), ("vision", "editor")}
    assert {workspace for workspace, _ in own} == {"iris", "vision"}
    synchronize(store, identity({"iris": {"viewer"}}))
    assert held(store) == {("iris", "viewer"), *((workspace, name) for workspace, name in own if workspace == "iris")}


def test_a_team_that_is_not_migrated_yet_gives_no_access(store: Any) -> None:
    synchronize(store, identity({"iris": {"viewer"}, "not-yet": {"editor"}}))
    assert held(store) == {("iris", "viewer")}
