"""Many hands on one model at once, and a registry that answers badly: one winner, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops.registry.client import Registry
from mlops.registry.errors import Conflict, Unavailable
from tests.platform.fault_proxy import Fault, faulty
from tests.platform.registry_support import APPROVER, Model, Platform, Rest, make_model, signed_in


@pytest.fixture
def model(platform: Any) -> Model:
    return make_model(platform)


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_two_promotions_at_once_have_one_winner(platform: Platform, model: Model) -> None:
    first = model.champion()
    rivals = [model.approved_version() for _ in range(4)]
    people = [Rest(platform, APPROVER) for _ in rivals]

    def promote(rest: Rest, version: int) -> int:
        body = {"name": model.name, "version": version, "expected_champion": first}
        return rest.change("promote", **body).status_code

    codes = at_once([lambda pair=pair: promote(*pair) for pair in zip(people, rivals, strict=True)])
    assert sorted(codes) == [200, 409, 409, 409]
    aliases = model.approver.aliases(model.name)
    assert aliases["champion"] == rivals[codes.index(200)]
    assert aliases["previous-champion"] == first


def test_a_version_changed_after_its_gate_is_not_approved(model: Model) -> None:
    version = model.version()
    model.gate(version).raise_for_status()
    model.editor.upload(model.artifact_path(version), b"flavors: {other: {}}\n").raise_for_status()
    refused = model.approve(version)
    assert refused.status_code == 409
    assert "changed since it was gated" in refused.json()["message"]


def test_a_version_changed_after_its_approval_is_not_promoted(model: Model) -> None:
    version = model.approved_version()
    model.editor.upload(model.artifact_path(version), b"flavors: {other: {}}\n").raise_for_status()
    assert model.promote(version, None).status_code == 409
    assert model.approver.set_alias(model.name, "champion", version).status_code == 409
    assert "champion" not in model.approver.aliases(model.name)


def test_a_version_changed_while_it_is_gated_does_not_pass(model: Model) -> None:
    version = model.version()
    seen = model.approver.get("/api/2.0/mlops/registry/version", name=model.name, version=version).json()
    model.editor.upload(model.artifact_path(version), b"flavors: {other: {}}\n").raise_for_status()
    assert model.gate(version, fingerprint=seen["fingerprint"]).status_code == 409


def test_a_comparison_with_a_former_champion_does_not_count(model: Model) -> None:
    late = model.version()
    model.gate(late, compared=True).raise_for_status()
    model.approve(late).raise_for_status()
    champion = model.champion()
    refused = model.promote(late, champion)
    assert refused.status_code == 409
    assert "gate it again" in refused.json()["message"]


def test_a_version_deleted_in_between_is_not_promoted(platform: Platform, model: Model) -> None:
    version = model.approved_version()
    other = model.version()
    model.gate(other).raise_for_status()  # takes the staging alias over
    path = "/api/2.0/mlflow/model-versions/delete"
    model.editor.send("DELETE", path, name=model.name, version=str(version)).raise_for_status()
    assert model.promote(version, None).status_code == 404


@pytest.mark.parametrize("faults", [["429"], ["503", "500"], ["dropped"], ["answer lost"], ["answer lost", "503"]])
def test_a_promotion_survives_a_bad_registry_and_happens_once(
    platform: Platform, model: Model, monkeypatch: pytest.MonkeyPatch, faults: list[Fault]
) -> None:
    version = model.approved_version()
    with faulty(platform.tracking_url, faults) as url, signed_in(platform, APPROVER, monkeypatch, url):
        Registry().promote(model.name, version)
    promotions = [entry for entry in model.approver.history(model.name)["entries"] if entry["action"] == "promoted"]
    assert [entry["version"] for entry in promotions] == [version]


def test_a_registry_that_stays_away_is_given_up_on(
    platform: Platform, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = model.approved_version()
    with (
        faulty(platform.tracking_url, ["503"] * 20) as url,
        signed_in(platform, APPROVER, monkeypatch, url),
        pytest.raises(Unavailable, match="answers 503"),
    ):
        Registry().promote(model.name, version)
    assert "champion" not in model.approver.aliases(model.name)


def test_a_conflict_is_not_retried(platform: Platform, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    version = model.champion()
    with signed_in(platform, APPROVER, monkeypatch), pytest.raises(Conflict, match="champion already"):
        Registry().promote(model.name, version)


OPERATIONS = st.sampled_from(
    [
        "promote",
        "promote seen",
        "raw champion",
        "raw staging",
        "rollback",
        "reject",
        "approve",
        "fail gate",
        "pass gate",
    ]
)
STEPS = st.lists(st.tuples(OPERATIONS, st.integers(0, 2)), min_size=4, max_size=10)


@given(steps=STEPS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_whatever_happens_at_once_the_registry_stays_consistent(
    platform: Platform, steps: list[tuple[str, int]]
) -> None:
    model = make_model(platform)
    first = model.champion()
    versions = [first, model.approved_version(), model.approved_version()]
    calls = [lambda step=step: _act(platform, model, step[0], versions[step[1]], first) for step in steps]
    codes = at_once(calls)
    assert all(code in (200, 400, 409) for code in codes), codes
    history = model.approver.history(model.name)
    assert history["problems"] == []
    champion, previous = _replayed(history["entries"])
    aliases = model.approver.aliases(model.name)
    assert aliases.get("champion") == champion
    assert aliases.get("previous-champion") == previous


def _act(platform: Platform, model: Model, operation: str, version: int, first: int) -> int:
    mine = Model(model.name, Rest(platform, "grace@example.com"), Rest(platform, APPROVER), model.experiment)
    change, name = mine.approver.change, model.name
    does: dict[str, Callable[[], Any]] = {
        "promote": lambda: mine.promote(version, mine.approver.aliases(name).get("champion")),
        "promote seen": lambda: mine.promote(version, first),
        "raw champion": lambda: mine.approver.set_alias(name, "champion", version),
        "raw staging": lambda: mine.approver.set_alias(name, "staging", version),
        "rollback": lambda: change(
            "rollback", name=name, reason="x", expected_champion=mine.approver.aliases(name).get("champion")
        ),
        "reject": lambda: change("reject", name=name, version=version, reason="x"),
        "approve": lambda: mine.approve(version),
        "fail gate": lambda: mine.gate(version, passed=False),
        "pass gate": lambda: mine.gate(version),
    }
    status: int = does[operation]().status_code
    return status


def _replayed(entries: list[dict[str, Any]]) -> tuple[int | None, int | None]:
    """Champion and previous champion by an own reading of the history, with each promotion checked."""
    gated: set[int] = set()
    approved: set[int] = set()
    champions: list[int] = []
    for entry in entries:
        version = entry["version"]
        if entry["action"] == "gated":
            approved.discard(version)
            (gated.add if entry["details"]["passed"] else gated.discard)(version)
        elif entry["action"] == "approved":
            assert version in gated, f"approved ungated: {entry}"
            approved.add(version)
        elif entry["action"] == "rejected":
            approved.discard(version)
        elif entry["action"] == "promoted":
            assert version in gated & approved, f"promoted ungated or unapproved: {entry}"
            assert entry["details"]["from"] == (champions[-1] if champions else None)
            champions = [*(champion for champion in champions if champion != version), version]
        elif entry["action"] == "rolled-back":
            champions.pop()
            assert champions[-1] == version
    return (champions[-1] if champions else None), (champions[-2] if len(champions) > 1 else None)
