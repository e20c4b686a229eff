"""The registry's transitions, each one transaction in the tracking server: check, append to the history, move aliases.

Whoever asks, through whatever client, ends up here. A transaction holds the model's lock, so two that are sent at once
happen one after the other, and the second one meets what the first one left. Nothing here trusts a tag or an alias.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, RESOURCE_CONFLICT
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlModelVersionTag, SqlRegisteredModelAlias
from sqlalchemy.orm import Session

from mlops.registry import ledger
from mlops.registry.fingerprint import fingerprint
from mlops.registry.standing import (
    CHAMPION,
    PREVIOUS,
    STAGING,
    WORKFLOW_ALIASES,
    WORKFLOW_TAGS,
    Entry,
    Standing,
    standing,
)

if TYPE_CHECKING:
    from mlops.tracking.protection import GovernedStore


@dataclass
class Model:
    """A registered model inside one transaction that holds its lock."""

    session: Session
    store: GovernedStore
    workspace: str
    name: str
    entries: list[Entry]
    standing: Standing
    actor: str

    def version(self, number: int) -> SqlModelVersion:
        """The version's row; RESOURCE_DOES_NOT_EXIST when there is none or it was deleted."""
        return self.store._get_sql_model_version(self.session, self.name, number)

    def record(self, action: str, version: int | None, details: Mapping[str, Any], request_id: str = "") -> Entry:
        """Appends to the history and makes aliases and tags follow."""
        last = self.entries[-1] if self.entries else None
        draft = Entry(0, _now(), self.actor, action, version, details, request_id or uuid4().hex)
        entry = ledger.append(self.session, self.workspace, self.name, draft, last)
        before, self.standing = self.standing, self.standing.after(entry)
        self.entries.append(entry)
        self._project_aliases(before.aliases(), self.standing.aliases())
        if version is not None and action in ("gated", "approved", "rejected"):
            self._project_tags(version)
        return entry

    def _project_aliases(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        for alias in before.keys() - after.keys():
            row = self.store._get_registered_model_alias(self.session, self.name, alias)
            if row is not None:
                self.session.delete(row)
        for alias, version in after.items():
            if before.get(alias) != version:
                row = SqlRegisteredModelAlias(workspace=self.workspace, name=self.name, alias=alias, version=version)
                self.session.merge(row)

    def _project_tags(self, version: int) -> None:
        tags = self.standing.of(version).tags()
        for key in WORKFLOW_TAGS:
            if key in tags:
                where = {"workspace": self.workspace, "name": self.name, "version": version}
                self.session.merge(SqlModelVersionTag(**where, key=key, value=tags[key]))
            elif (row := self.store._get_model_version_tag(self.session, self.name, version, key)) is not None:
                self.session.delete(row)


@contextmanager
def locked(store: GovernedStore, name: str, actor: str) -> Iterator[Model]:
    """The model `name` of the request's workspace, unchanged by anyone else until the block ends and commits."""
    workspace = store._get_active_workspace()
    with store.ManagedSessionMaker(read_only=False) as session:
        ledger.lock(session, workspace, name)
        found = ledger.entries(session, workspace, name)
        model = Model(session, store, workspace, name, found, standing(found), actor)
        if not found:
            _adopt(model)
        yield model


def _adopt(model: Model) -> None:
    """Aliases that are older than the history become its first entry, so that no previous champion is lost."""
    rows = model.store._get_query(model.session, SqlRegisteredModelAlias).filter_by(name=model.name).all()
    aliases = {row.alias: row.version for row in rows if row.alias in model.store.protected}
    if aliases:
        model.record("adopted", None, {"aliases": aliases})


def gate(model: Model, version: int, body: Mapping[str, Any]) -> Entry:
    """Records what a gate measured. `body`: `checks`, `fingerprint`, `champion`, `report` and digests."""
    checks = body["checks"]
    failed = [check["name"] for check in checks if not check["passed"]]
    if body["fingerprint"] != fingerprint(model.version(version)):
        raise _conflict(f"{model.name} version {version} changed while it was being gated; gate it again")
    details = {**body, "passed": not failed, "runner_up": failed == ["better_than_champion"]}
    return model.record("gated", version, details, body["request_id"])


def approve(model: Model, version: int, body: Mapping[str, Any]) -> Entry:
    """Approves what the latest gate measured, which must be what the version still is."""
    _gated(model, version)
    author = model.standing.of(version).author
    if model.store.four_eyes and author in (None, model.actor):
        why = "nobody is recorded as its author; register it again" if author is None else "its author is the approver"
        raise MlflowException(
            f"{model.name} version {version} needs a second pair of eyes: {why}", error_code=PERMISSION_DENIED
        )
    if model.standing.of(version).approved:
        raise _conflict(f"{model.name} version {version} is approved already")
    return model.record("approved", version, {"reason": body["reason"]}, body["request_id"])


def reject(model: Model, version: int, body: Mapping[str, Any]) -> Entry:
    """Says no to a version; it cannot be promoted until somebody approves it."""
    model.version(version)
    if model.standing.champion == version:
        raise _conflict(f"{model.name} version {version} is {CHAMPION}; roll back first: mlops rollback {model.name}")
    return model.record("rejected", version, {"reason": body["reason"]}, body["request_id"])


def promote(model: Model, version: int, body: Mapping[str, Any]) -> Entry:
    """Makes a gated and approved version the champion; the one before stays as the previous champion."""
    _expected_champion(model, body)
    _gated(model, version)
    state = model.standing.of(version)
    if model.standing.champion == version:
        raise _conflict(f"{model.name} version {version} is {CHAMPION} already")
    if not state.approved:
        raise _refusal(f"{model.name} version {version} is not approved; next: mlops approve {model.name} {version}")
    gate_details = state.gate.details if state.gate else {}
    if gate_details["compared"] and gate_details["champion"] != model.standing.champion:
        raise _conflict(
            f"{model.name} version {version} was compared with champion {gate_details['champion']}, "
            f"but version {model.standing.champion} is {CHAMPION} now; gate it again"
        )
    details = {"from": model.standing.champion, "fingerprint": gate_details["fingerprint"]}
    return model.record("promoted", version, details, body["request_id"])


def rollback(model: Model, body: Mapping[str, Any]) -> Entry:
    """Brings the previous champion back."""
    _expected_champion(model, body)
    target = model.standing.previous
    if target is None:
        raise _refusal(f"{model.name} has no {PREVIOUS} to go back to; see mlops history {model.name}")
    recorded = model.standing.of(target).gate
    if recorded and recorded.details["fingerprint"] != fingerprint(model.version(target)):
        raise _conflict(
            f"{model.name} version {target} changed since it was gated; gate, approve and promote a version"
        )
    details = {"from": model.standing.champion, "reason": body["reason"]}
    return model.record("rolled-back", target, details, body["request_id"])


def set_alias(model: Model, alias: str, version: int) -> Entry:
    """What a protected alias, set by any MLflow client, means."""
    if alias == CHAMPION:
        return promote(model, version, {"request_id": ""})
    if alias == PREVIOUS:
        raise _refusal(f"{PREVIOUS} follows from promotions; to return to it: mlops rollback {model.name}")
    if alias == STAGING:
        _gated(model, version)
    model.version(version)
    return model.record("alias-set", version, {"alias": alias})


def delete_alias(model: Model, alias: str) -> Entry | None:
    """Removes a protected alias; a removed champion stays as the previous one."""
    version = model.standing.aliases().get(alias)
    return None if version is None else model.record("alias-removed", version, {"alias": alias})


def once(model: Model, request_id: str, change: Callable[[], Entry]) -> Entry:
    """Does `change`, unless this very request has been done already and only its answer was lost."""
    done = next((entry for entry in model.entries if entry.request_id == request_id), None)
    return done or change()


def refuse_if_in_use(model: Model, version: int | None = None) -> None:
    """Nothing that a protected alias names may be deleted or renamed."""
    held = {
        alias: number
        for alias, number in model.standing.aliases().items()
        if alias in model.store.protected | WORKFLOW_ALIASES and version in (None, number)
    }
    if held:
        alias, number = next(iter(held.items()))
        raise _refusal(f"{model.name} version {number} is {alias}; an admin has to remove that alias first")


def _gated(model: Model, version: int) -> None:
    row, state = model.version(version), model.standing.of(version)
    if state.gate is None:
        raise _refusal(f"{model.name} version {version} was never gated; next: mlops gate {model.name} {version}")
    if not state.passed:
        raise _refusal(f"{model.name} version {version} did not pass its gate; see {state.gate.details['report']}")
    if state.gate.details["fingerprint"] != fingerprint(row):
        raise _conflict(f"{model.name} version {version} changed since it was gated; gate it again")


def _expected_champion(model: Model, body: Mapping[str, Any]) -> None:
    if "expected_champion" in body and body["expected_champion"] != model.standing.champion:
        raise _conflict(
            f"{model.name}: version {model.standing.champion} is {CHAMPION} now, not {body['expected_champion']}; "
            f"look at mlops history {model.name} and decide again"
        )


def _refusal(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


def _conflict(message: str) -> MlflowException:
    return MlflowException(message, error_code=RESOURCE_CONFLICT)


def _now() -> int:
    return time.time_ns() // 1_000_000
