"""What a history adds up to."""

from __future__ import annotations

from typing import Any

import pytest

from mlops.registry.standing import Entry, Standing, standing


def history(*events: tuple[str, int | None] | tuple[str, int | None, dict[str, Any]]) -> Standing:
    entries = []
    for number, (action, version, *details) in enumerate(events, 1):
        told = details[0] if details else {"gated": {"passed": True, "runner_up": False}}.get(action, {})
        entries.append(Entry(number, number, "ada", action, version, told, str(number)))
    return standing(entries)


def test_promotions_keep_the_previous_champion() -> None:
    assert history(("promoted", 1), ("promoted", 2)).aliases() == {"champion": 2, "previous-champion": 1}


def test_rollbacks_walk_back_through_the_champions() -> None:
    state = history(("promoted", 1), ("promoted", 2), ("promoted", 3), ("rolled-back", 2))
    assert state.aliases() == {"champion": 2, "previous-champion": 1}
    assert history(("promoted", 1), ("promoted", 2), ("rolled-back", 1)).aliases() == {"champion": 1}


def test_a_version_promoted_again_is_not_its_own_predecessor() -> None:
    state = history(("promoted", 1), ("promoted", 2), ("promoted", 1))
    assert (state.champion, state.previous) == (1, 2)


def test_a_removed_champion_comes_back_by_rollback() -> None:
    removed = ("alias-removed", 1, {"alias": "champion"})
    assert history(("promoted", 1), removed).aliases() == {"previous-champion": 1}
    assert history(("promoted", 1), removed, ("rolled-back", 1)).aliases() == {"champion": 1}


def test_a_new_gate_withdraws_an_approval() -> None:
    assert history(("gated", 1), ("approved", 1)).of(1).approved
    assert not history(("gated", 1), ("approved", 1), ("gated", 1)).of(1).approved


def test_a_failed_gate_takes_staging_away() -> None:
    failed = ("gated", 1, {"passed": False, "runner_up": False})
    assert history(("gated", 1)).staging == 1
    assert history(("gated", 1), failed).staging is None


def test_a_runner_up_is_challenger_until_it_is_champion() -> None:
    lost = ("gated", 2, {"passed": False, "runner_up": True})
    assert history(("promoted", 1), lost).challenger == 2
    assert history(("promoted", 1), lost, ("gated", 2), ("approved", 2), ("promoted", 2)).challenger is None


def test_a_deleted_model_leaves_nothing_behind() -> None:
    assert (
        history(("registered", 1), ("gated", 1), ("approved", 1), ("promoted", 1), ("model-deleted", None))
        == Standing()
    )


def test_aliases_older_than_the_history_are_adopted() -> None:
    adopted = ("adopted", None, {"aliases": {"champion": 4, "previous-champion": 2, "gold": 1}})
    assert history(adopted, ("promoted", 5)).aliases() == {"champion": 5, "previous-champion": 4, "gold": 1}


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([("gated", 1)], "pending"),
        ([("gated", 1), ("approved", 1)], "approved"),
        ([("gated", 1), ("rejected", 1)], "rejected"),
    ],
)
def test_tags_tell_the_decision(events: list[Any], status: str) -> None:
    assert history(*events).of(1).tags()["approval_status"] == status
