"""Who may move what in the registry, tried through raw REST: no client of ours is in the way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platform.registry_support import (
    ADMIN,
    APPROVER,
    EDITOR,
    MLFLOW,
    OWN,
    STRANGER,
    Model,
    Platform,
    Rest,
    make_model,
)

AJAX = "/ajax-api/2.0/mlflow"


@pytest.fixture
def model(platform: Any) -> Model:
    return make_model(platform)


@pytest.mark.parametrize("alias", ["champion", "staging", "previous-champion"])
@pytest.mark.parametrize("prefix", [MLFLOW, AJAX])
def test_an_editor_cannot_move_a_protected_alias(model: Model, alias: str, prefix: str) -> None:
    version = model.approved_version()
    path = f"{prefix}/registered-models/alias"
    before = model.editor.aliases(model.name)
    moved = model.editor.send("POST", path, name=model.name, alias=alias, version=str(version))
    removed = model.editor.send("DELETE", path, name=model.name, alias=alias)
    assert (moved.status_code, removed.status_code) == (403, 403)
    assert "approver role" in moved.json()["message"]
    assert model.editor.aliases(model.name) == before


def test_an_editor_moves_other_aliases_freely(model: Model) -> None:
    version = model.version()
    assert model.editor.set_alias(model.name, "experiment-7", version).status_code == 200
    assert model.editor.aliases(model.name) == {"experiment-7": version}


def test_an_approver_moves_champion_through_any_client(model: Model) -> None:
    version = model.approved_version()
    assert model.approver.set_alias(model.name, "champion", version).status_code == 200
    assert model.approver.aliases(model.name)["champion"] == version


def test_champion_set_through_any_client_keeps_the_previous_one(model: Model) -> None:
    first, second = model.champion(), model.approved_version()
    model.approver.set_alias(model.name, "champion", second).raise_for_status()
    aliases = model.approver.aliases(model.name)
    assert (aliases["champion"], aliases["previous-champion"]) == (second, first)


@pytest.mark.parametrize("alias", ["champion", "staging"])
def test_even_an_approver_cannot_point_an_alias_at_an_ungated_version(model: Model, alias: str) -> None:
    refused = model.approver.set_alias(model.name, alias, model.version())
    assert refused.status_code == 400
    assert "never gated" in refused.json()["message"]
    assert model.approver.aliases(model.name) == {}


def test_previous_champion_cannot_be_pointed_elsewhere(model: Model) -> None:
    model.champion()
    assert model.approver.set_alias(model.name, "previous-champion", model.approved_version()).status_code == 400


@pytest.mark.parametrize("key", ["approval_status", "gate.status", "gate.report"])
@pytest.mark.parametrize("who", ["editor", "approver"])
def test_nobody_writes_workflow_tags_by_hand(model: Model, key: str, who: str) -> None:
    version = model.version()
    rest: Rest = getattr(model, who)
    body = {"name": model.name, "version": str(version), "key": key}
    written = rest.send("POST", f"{MLFLOW}/model-versions/set-tag", **body, value="approved")
    removed = rest.send("DELETE", f"{MLFLOW}/model-versions/delete-tag", **body)
    assert (written.status_code, removed.status_code) == (403, 403)
    assert model.editor.tags(model.name, version) == {}


def test_workflow_tags_do_not_come_with_a_new_version(model: Model) -> None:
    tags = [{"key": "approval_status", "value": "approved"}, {"key": "team", "value": "iris"}]
    version = model.version(tags=tags)
    assert model.editor.tags(model.name, version) == {"team": "iris"}
    assert model.approver.set_alias(model.name, "champion", version).status_code == 400


@pytest.mark.parametrize("action", ["gate", "approve", "reject", "promote", "rollback"])
def test_an_editor_makes_no_transition(model: Model, action: str) -> None:
    version = model.approved_version()
    bodies: dict[str, dict[str, Any]] = {
        "approve": {"version": version, "reason": "x"},
        "reject": {"version": version, "reason": "x"},
        "promote": {"version": version, "expected_champion": None},
        "rollback": {"reason": "x", "expected_champion": None},
    }
    editing = Model(model.name, model.editor, model.editor, model.experiment)
    before = model.approver.history(model.name)["entries"]
    if action == "gate":
        answer = editing.gate(version)
    else:
        answer = model.editor.change(action, name=model.name, **bodies[action])
    assert answer.status_code == 403
    assert model.approver.history(model.name)["entries"] == before


def test_another_team_sees_nothing_and_moves_nothing(platform: Platform, model: Model) -> None:
    version = model.approved_version()
    stranger = Rest(platform, STRANGER, workspace="iris")
    assert stranger.get(f"{OWN}/history", name=model.name).status_code == 403
    assert stranger.change("promote", name=model.name, version=version, expected_champion=None).status_code == 403
    assert stranger.set_alias(model.name, "champion", version).status_code == 403


def test_the_author_cannot_approve(platform: Platform, model: Model) -> None:
    """Four eyes: the approver registers a version, and so is its author."""
    own = Model(model.name, model.approver, model.approver, model.experiment)
    version = own.version()
    own.gate(version).raise_for_status()
    refused = own.approve(version)
    assert refused.status_code == 403
    assert "second pair of eyes" in refused.json()["message"]


@pytest.mark.parametrize("who", ["editor", "approver"])
def test_a_champion_cannot_be_deleted_or_renamed(model: Model, who: str) -> None:
    version = model.champion()
    rest: Rest = getattr(model, who)
    deleted = rest.send("DELETE", f"{MLFLOW}/model-versions/delete", name=model.name, version=str(version))
    gone = rest.send("DELETE", f"{MLFLOW}/registered-models/delete", name=model.name)
    renamed = rest.send("POST", f"{MLFLOW}/registered-models/rename", name=model.name, new_name=f"{model.name}-x")
    assert all(400 <= answer.status_code < 500 for answer in (deleted, gone, renamed))
    assert model.approver.aliases(model.name)["champion"] == version


def test_a_removed_champion_stays_as_the_previous_one(platform: Platform, model: Model) -> None:
    version = model.champion()
    path = f"{MLFLOW}/registered-models/alias"
    Rest(platform, ADMIN).send("DELETE", path, name=model.name, alias="champion").raise_for_status()
    aliases = model.approver.aliases(model.name)
    assert "champion" not in aliases
    assert aliases["previous-champion"] == version


def test_a_model_made_anew_under_an_old_name_inherits_no_approval(platform: Platform, model: Model) -> None:
    version = model.approved_version()
    path = f"{MLFLOW}/registered-models"
    Rest(platform, ADMIN).send("DELETE", f"{path}/alias", name=model.name, alias="staging").raise_for_status()
    model.editor.send("DELETE", f"{path}/delete", name=model.name).raise_for_status()
    model.editor.send("POST", f"{path}/create", name=model.name).raise_for_status()
    assert model.version() == version
    assert model.approver.set_alias(model.name, "champion", version).status_code == 400


def test_who_did_what_comes_from_the_token(model: Model) -> None:
    version = model.approved_version()
    entries = model.approver.history(model.name)["entries"]
    told = [(entry["action"], entry["actor"], entry["version"]) for entry in entries]
    assert told == [("registered", EDITOR, version), ("gated", APPROVER, version), ("approved", APPROVER, version)]
