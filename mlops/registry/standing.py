"""What a model's history adds up to: who is champion, what was gated and approved, which aliases follow from that.

Pure: entries in, standing out. The history is the truth; aliases and tags in MLflow are its projection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CHAMPION = "champion"
PREVIOUS = "previous-champion"
STAGING = "staging"
CHALLENGER = "challenger"
WORKFLOW_ALIASES = frozenset({CHAMPION, PREVIOUS, STAGING})
"""Moved by gate, promote and rollback; protected on every platform."""

WORKFLOW_TAGS = frozenset(
    {
        "gate.status",
        "gate.report",
        "gate.by",
        "approval_status",
        "approval.by",
        "approval.at",
        "approval.reason",
    }
)
"""Written by the tracking server only."""


@dataclass(frozen=True)
class Entry:
    """One event in the life of a model. `at` is milliseconds since the epoch, `actor` the verified user name."""

    number: int
    at: int
    actor: str
    action: str
    version: int | None
    details: Mapping[str, Any]
    request_id: str
    previous: str = ""
    seal: str = ""


@dataclass(frozen=True)
class VersionStanding:
    """A version: who registered it, its latest gate entry, and the decision (approved or rejected) since that gate."""

    author: str | None = None
    gate: Entry | None = None
    decision: Entry | None = None

    @property
    def passed(self) -> bool:
        """Whether the latest gate let the version pass."""
        return self.gate is not None and bool(self.gate.details["passed"])

    @property
    def approved(self) -> bool:
        """Whether somebody approved what the latest gate measured."""
        return self.passed and self.decision is not None and self.decision.action == "approved"

    def tags(self) -> dict[str, str]:
        """The workflow's tags of this version."""
        tags: dict[str, str] = {}
        if self.gate is not None:
            tags["gate.status"] = "passed" if self.passed else "failed"
            tags["gate.by"] = self.gate.actor
            tags["gate.report"] = str(self.gate.details.get("report", ""))
        if self.passed:
            tags["approval_status"] = self.decision.action if self.decision else "pending"
        if self.decision is not None:
            tags["approval.by"] = self.decision.actor
            tags["approval.at"] = str(self.decision.at)
            tags["approval.reason"] = str(self.decision.details.get("reason", ""))
        return tags


@dataclass(frozen=True)
class Standing:
    """A model. `champions` are the versions that won and were not rolled back, oldest first."""

    champions: tuple[int, ...] = ()
    retired: bool = False
    """No champion at the moment: somebody removed the alias; the last one is `previous`."""
    staging: int | None = None
    challenger: int | None = None
    others: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[int, VersionStanding] = field(default_factory=dict)

    @property
    def champion(self) -> int | None:
        """The version that callers are served."""
        return self.champions[-1] if self.champions and not self.retired else None

    @property
    def previous(self) -> int | None:
        """The version that a rollback would bring back."""
        earlier = self.champions if self.retired else self.champions[:-1]
        return earlier[-1] if earlier else None

    def of(self, version: int) -> VersionStanding:
        """The standing of `version`; nothing is known of one that the history does not name."""
        return self.versions.get(version, VersionStanding())

    def aliases(self) -> dict[str, int]:
        """Every alias that follows from the history."""
        own = {CHAMPION: self.champion, PREVIOUS: self.previous, STAGING: self.staging, CHALLENGER: self.challenger}
        return {**self.others, **{alias: version for alias, version in own.items() if version is not None}}

    def after(self, entry: Entry) -> Standing:
        """The standing once `entry` has happened."""
        return _EVENTS[entry.action](self, entry)


def standing(entries: Iterable[Entry]) -> Standing:
    """The standing of a model whose whole history is `entries`, oldest first."""
    result = Standing()
    for entry in entries:
        result = result.after(entry)
    return result


def _with(state: Standing, entry: Entry, **changes: Any) -> Standing:
    version = _number(entry)
    return replace(state, versions={**state.versions, version: replace(state.of(version), **changes)})


def _number(entry: Entry) -> int:
    if entry.version is None:
        raise ValueError(f"history entry {entry.number} ({entry.action}) names no version")
    return entry.version


def _adopted(state: Standing, entry: Entry) -> Standing:
    aliases = {str(alias): int(version) for alias, version in entry.details["aliases"].items()}
    champions = [aliases[alias] for alias in (PREVIOUS, CHAMPION) if alias in aliases]
    return replace(
        state,
        champions=tuple(champions),
        retired=CHAMPION not in aliases,
        staging=aliases.get(STAGING),
        others={alias: version for alias, version in aliases.items() if alias not in WORKFLOW_ALIASES},
    )


def _registered(state: Standing, entry: Entry) -> Standing:
    return replace(state, versions={**state.versions, _number(entry): VersionStanding(author=entry.actor)})


def _gated(state: Standing, entry: Entry) -> Standing:
    version = _number(entry)
    state = _with(state, entry, gate=entry, decision=None)
    runner_up = bool(entry.details["runner_up"])
    passed = bool(entry.details["passed"])
    return replace(
        state,
        staging=version if passed else _unless(state.staging, version),
        challenger=version if runner_up else _unless(state.challenger, version),
    )


def _decided(state: Standing, entry: Entry) -> Standing:
    return _with(state, entry, decision=entry)


def _promoted(state: Standing, entry: Entry) -> Standing:
    version = _number(entry)
    champions = (*(champion for champion in state.champions if champion != version), version)
    return replace(state, champions=champions, retired=False, challenger=_unless(state.challenger, version))


def _rolled_back(state: Standing, entry: Entry) -> Standing:
    return replace(state, champions=state.champions if state.retired else state.champions[:-1], retired=False)


def _alias_set(state: Standing, entry: Entry) -> Standing:
    alias = entry.details["alias"]
    if alias == STAGING:
        return replace(state, staging=entry.version)
    return replace(state, others={**state.others, alias: _number(entry)})


def _alias_removed(state: Standing, entry: Entry) -> Standing:
    alias = entry.details["alias"]
    if alias == CHAMPION:
        return replace(state, retired=True)
    if alias == PREVIOUS:
        return replace(state, champions=() if state.retired else state.champions[-1:])
    if alias == STAGING:
        return replace(state, staging=None)
    return replace(state, others={name: version for name, version in state.others.items() if name != alias})


def _version_deleted(state: Standing, entry: Entry) -> Standing:
    version = _number(entry)
    return replace(
        state,
        champions=tuple(champion for champion in state.champions if champion != version),
        challenger=_unless(state.challenger, version),
        versions={number: known for number, known in state.versions.items() if number != version},
    )


def _model_deleted(state: Standing, entry: Entry) -> Standing:
    return Standing()


def _unless(current: int | None, version: int) -> int | None:
    return None if current == version else current


_EVENTS = {
    "adopted": _adopted,
    "registered": _registered,
    "gated": _gated,
    "approved": _decided,
    "rejected": _decided,
    "promoted": _promoted,
    "rolled-back": _rolled_back,
    "alias-set": _alias_set,
    "alias-removed": _alias_removed,
    "version-deleted": _version_deleted,
    "model-deleted": _model_deleted,
}
