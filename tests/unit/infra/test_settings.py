"""What a stack's settings may say, and how a mistake in them is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.settings import Settings, SettingsError, parse

TEAM = {"name": "iris", "roles": {"editor": ["scientists"]}}
MODEL = {"name": "classifier", "team": "iris", "alias": "champion", "port": 6001}


def settings(**sections: Any) -> Settings:
    values = {"target": "local", "local": {}, **sections}
    raw = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return parse(raw, project="mlflow-platform", stack="local")


def problem(**sections: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        settings(**sections)
    return str(caught.value)


def test_settings_cannot_be_changed_after_reading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings().tracking.workers = 9  # type: ignore[misc]


def test_a_model_needs_three_lines() -> None:
    (model,) = settings(teams=[TEAM], models=[{key: MODEL[key] for key in ("name", "team", "alias")}]).models
    assert (model.port, model.workers) == (8080, 2)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"traking": {}}, "traking = {}: no such setting"),
        ({"tracking": {"worker": 4}}, "tracking.worker = 4: no such setting"),
        ({"tracking": {"workers": "4"}}, 'tracking.workers = "4": Input should be a valid integer'),
        ({"tracking": {"workers": 0}}, "tracking.workers = 0: Input should be greater than or equal to 1"),
        ({"tracking": {"port": 80}}, "tracking.port = 80: Input should be greater than or equal to 1024"),
        ({"target": "azure"}, "target = \"azure\": Input should be 'local' or 'aws'"),
        ({"teams": [{"name": "iris", "roles": {}}]}, "a team needs at least one group"),
        ({"teams": [{"name": "iris", "roles": {"owner": ["a"]}}]}, "roles.owner"),
        ({"teams": [TEAM, TEAM]}, "teams: 'iris' is defined twice"),
        ({"teams": [TEAM], "models": [{"name": "classifier", "team": "iris"}]}, "models.0.alias"),
        ({"teams": [TEAM], "models": [{**MODEL, "team": "vision"}]}, "'classifier' belongs to team 'vision'"),
        (
            {"teams": [TEAM], "models": [{**MODEL, "scaling": {"minimum": 3, "maximum": 2}}]},
            "minimum (3) must not be greater than maximum (2)",
        ),
        (
            {"teams": [TEAM], "models": [{**MODEL, "port": 5540}]},
            "port 5540 is used twice, by local.identity_port and models.classifier.port",
        ),
        ({"local": {"address": "10.0.0.1"}}, "must be a loopback address"),
        ({"local": {"users": [{"email": "grace"}]}}, "local.users.0.email"),
        ({"aws": {"region": "us-east-1"}}, "target 'local' does not read this section"),
        ({"target": "aws"}, "target 'aws' needs this section"),
    ],
)
def test_a_mistake_is_told_by_key_value_and_expectation(sections: dict[str, Any], expected: str) -> None:
    told = problem(**sections)
    assert expected in told
    assert told.startswith("Pulumi.local.yaml: ")


def test_every_mistake_is_told_at_once_one_line_each() -> None:
    lines = problem(tracking={"worker": 4, "port": 80}, local={"address": "10.0.0.1"}).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("Pulumi.local.yaml: ") for line in lines)
