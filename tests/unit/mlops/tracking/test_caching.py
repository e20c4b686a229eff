"""Two stores over one database stand for two workers: what one changes, the other may remember for a while only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils import workspace_context

from mlops.tracking import caching

GRACE, ALAN, WORKSPACE = "grace@example.com", "alan@example.com", "iris"
TYPES = {"experiment", "run"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Workers:
    """`here` remembers, `elsewhere` is another process; GRACE holds role `editor`, which may edit experiments."""

    here: Any
    elsewhere: Any
    clock: Clock
    role_id: int
    permission_id: int
    user_id: int

    def grants(self) -> list[tuple[str, str, str]]:
        return [tuple(grant) for grant in self.here.list_grants(self.user_id, WORKSPACE, TYPES)]


EDIT = [("experiment", "*", "EDIT")]


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workers:
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    stores = [SqlAlchemyStore() for _ in range(2)]
    for store in stores:
        store.init_db(f"sqlite:///{tmp_path / 'auth.db'}")
    here, elsewhere = stores
    for name in (GRACE, ALAN):
        elsewhere.create_user(name, "a long password")
    role = elsewhere.create_role("editor", WORKSPACE)
    permission = elsewhere.add_role_permission(role.id, "experiment", "*", "EDIT")
    user = elsewhere.get_user(GRACE)
    elsewhere.assign_role_to_user(user.id, role.id)
    clock = Clock()
    caching.remember(here, ("get_user", "list_grants"), clock)
    return Workers(here, elsewhere, clock, role.id, permission.id, user.id)


def test_a_role_revoked_elsewhere_stops_counting_within_the_bound(workers: Workers) -> None:
    assert workers.grants() == EDIT
    workers.elsewhere.unassign_role_from_user(workers.user_id, workers.role_id)
    assert workers.grants() == EDIT  # remembered, which is what this is for
    workers.clock.now += caching.STALENESS_SECONDS
    assert workers.grants() == []


def test_asking_again_and_again_does_not_prolong_what_is_remembered(workers: Workers) -> None:
    assert workers.grants() == EDIT
    workers.elsewhere.unassign_role_from_user(workers.user_id, workers.role_id)
    for _ in range(10):
        workers.clock.now += caching.STALENESS_SECONDS / 10
        last = workers.grants()
    assert last == []


def test_a_user_deleted_elsewhere_is_unknown_within_the_bound(workers: Workers) -> None:
    assert workers.here.get_user(ALAN).username == ALAN
    workers.elsewhere.delete_user(ALAN)
    workers.clock.now += caching.STALENESS_SECONDS
    with pytest.raises(MlflowException, match="not found"):
        workers.here.get_user(ALAN)


def test_an_administrator_demoted_elsewhere_is_none_within_the_bound(workers: Workers) -> None:
    workers.elsewhere.update_user(ALAN, is_admin=True)
    assert workers.here.get_user(ALAN).is_admin
    workers.elsewhere.update_user(ALAN, is_admin=False)
    workers.clock.now += caching.STALENESS_SECONDS
    assert not workers.here.get_user(ALAN).is_admin


@pytest.mark.parametrize(
    "revoke",
    [
        pytest.param(lambda w: w.here.unassign_role_from_user(w.user_id, w.role_id), id="role taken away"),
        pytest.param(lambda w: w.here.remove_role_permission(w.permission_id), id="permission removed"),
        pytest.param(lambda w: w.here.delete_role(w.role_id), id="role deleted"),
        pytest.param(lambda w: w.here.delete_roles_for_workspace(WORKSPACE), id="workspace deleted"),
        pytest.param(lambda w: w.here.delete_user(GRACE), id="user deleted"),
    ],
)
def test_what_this_process_revokes_stops_counting_at_once(workers: Workers, revoke: Callable[[Workers], None]) -> None:
    assert workers.grants() == EDIT
    revoke(workers)
    assert workers.grants() == []


def test_what_this_process_grants_counts_at_once(workers: Workers) -> None:
    assert workers.grants() == EDIT
    workers.here.add_role_permission(workers.role_id, "run", "*", "READ")
    assert set(workers.grants()) == {*EDIT, ("run", "*", "READ")}


def test_a_failed_change_forgets_too(workers: Workers) -> None:
    assert workers.grants() == EDIT
    workers.elsewhere.unassign_role_from_user(workers.user_id, workers.role_id)
    with pytest.raises(MlflowException):
        workers.here.update_user("nobody@example.com", is_admin=True)
    assert workers.grants() == []


def test_an_unknown_user_is_known_as_soon_as_someone_made_it(workers: Workers) -> None:
    with pytest.raises(MlflowException, match="not found"):
        workers.here.get_user("ada@example.com")
    workers.elsewhere.create_user("ada@example.com", "a long password")
    assert workers.here.get_user("ada@example.com").username == "ada@example.com"


def test_nobody_gets_anothers_grants(workers: Workers) -> None:
    assert workers.grants() == EDIT
    alan = workers.elsewhere.get_user(ALAN)
    assert workers.here.list_grants(alan.id, WORKSPACE, TYPES) == []
    assert workers.here.list_grants(workers.user_id, "vision", TYPES) == []
    assert workers.here.list_grants(workers.user_id, WORKSPACE, {"registered_model"}) == []
    assert workers.here.get_user(ALAN).username == ALAN
    assert workers.here.get_user(GRACE).username == GRACE


def test_a_caller_cannot_change_what_the_next_one_gets(workers: Workers) -> None:
    workers.here.list_grants(workers.user_id, WORKSPACE, TYPES).append(("workspace", "*", "MANAGE"))
    workers.here.get_user(ALAN).is_admin = True
    assert workers.grants() == EDIT
    assert not workers.here.get_user(ALAN).is_admin


def test_the_stores_own_class_still_asks_the_database(workers: Workers) -> None:
    assert not workers.here.get_user(ALAN).is_admin
    workers.elsewhere.update_user(ALAN, is_admin=True)
    assert type(workers.here).get_user(workers.here, ALAN).is_admin


class Runs:
    """`_run_requirement` of MLflow, over a dictionary of runs; counts how often it is asked."""

    def __init__(self, **experiments: str) -> None:
        self.experiments = experiments
        self.asked = 0

    def __call__(self, run_id: str, action: str) -> tuple[tuple[str, str], list[str]] | None:
        self.asked += 1
        experiment = self.experiments.get(run_id)
        return None if experiment is None else (("experiment", experiment), [action])


def test_a_runs_experiment_is_looked_up_once_for_each_action() -> None:
    runs = Runs(r1="e1")
    requirement = caching.remembered_requirement(runs)
    for _ in range(3):
        assert requirement("r1", "update") == (("experiment", "e1"), ["update"])
        assert requirement("r1", "read") == (("experiment", "e1"), ["read"])
    assert runs.asked == 2


def test_requirements_that_a_caller_adds_are_its_own() -> None:
    requirement = caching.remembered_requirement(Runs(r1="e1"))
    for _ in range(2):
        resolved = requirement("r1", "update")
        assert resolved is not None
        assert resolved[1] == ["update"]
        resolved[1].append("something about a model")


def test_a_missing_run_is_found_as_soon_as_it_exists() -> None:
    runs = Runs()
    requirement = caching.remembered_requirement(runs)
    assert requirement("r1", "update") is None
    runs.experiments["r1"] = "e1"
    assert requirement("r1", "update") is not None


def test_a_run_known_in_one_workspace_is_not_known_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    runs = Runs(r1="e1")
    requirement = caching.remembered_requirement(runs)
    with workspace_context.WorkspaceContext("iris"):
        assert requirement("r1", "update") is not None
    runs.experiments.clear()  # as the store answers in a workspace that the run is not of
    with workspace_context.WorkspaceContext("vision"):
        assert requirement("r1", "update") is None
