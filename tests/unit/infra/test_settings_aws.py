"""A bad AWS setting is one line that names the key, the value and what was expected, before anything is registered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.ephemeral import derive
from infra.recording import configuration
from infra.settings import Settings, SettingsError, parse
from tests.stacks.conftest import EXPIRES


def parsed(config: dict[str, Any], stack: str = "prod") -> Settings:
    raw = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    return parse(raw, project="mlflow-platform", stack=stack)


def changed(path: str, value: Any, stack: str = "prod") -> dict[str, Any]:
    config = json.loads(json.dumps(configuration(stack)))
    part = config["aws"]
    *parents, last = path.split(".")
    for name in parents:
        part = part[name]
    part[last] = value
    return dict(config)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_stack_files_are_accepted(stack: str) -> None:
    assert parsed(configuration(stack), stack).aws is not None


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("region", "us-east-9", ["aws.region", "us-east-9", "us-east-1"]),
        ("network.cidr", "10.40.0.0/33", ["aws.network.cidr", "10.40.0.0/33", "expected a CIDR"]),
        ("network.cidr", "10.40.0.0/24", ["10.40.0.0/24", "between /16 and /20"]),
        (
            "network.cidr",
            "172.20.0.0/16",
            ["network.cidr = 172.20.0.0/16", "overlaps cluster.service_cidr", "disjoint"],
        ),
        ("network.zones", ["us-east-1a"], ["us-east-1a", "database.multi_az = true needs", "two zones"]),
        ("network.zones", ["us-east-1a", "us-west-2b"], ["us-west-2b", "not a zone of us-east-1"]),
        ("network.zones", ["us-east-1a", "us-east-1a"], ["us-east-1a", "each zone may appear once"]),
        ("network.nat_gateways", 0, ["aws.network.nat_gateways", "0", "greater than or equal to 1"]),
        ("database.backup_retention_days", 0, ["database.backup_retention_days = 0", "at least 1"]),
        ("database.backup_retention_days", 36, ["aws.database.backup_retention_days", "36", "35"]),
        ("database.deletion_protection", False, ["database.deletion_protection = false", "must have it on"]),
        ("database.final_snapshot", False, ["database.final_snapshot = false", "must have it on"]),
        ("database.maximum_storage_gib", 100, ["maximum_storage_gib (100)", "storage_gib (100)"]),
        ("database.multi_az", "yes", ["aws.database.multi_az", "yes", "boolean"]),
        ("backups", None, ["backups = null", "must have it on"]),
        ("backups.lock", "forever", ["aws.backups.lock", "forever", "compliance"]),
        ("edge.zone_id", "", ["aws.edge.zone_id", '""']),
        ("cluster.public_access_cidrs", ["0.0.0.0/0"], ["0.0.0.0/0", "opens the Kubernetes API to everyone"]),
        ("cluster.administrators", [], ["aws.cluster.administrators", "at least 1"]),
        ("identity.oidc", None, ["aws.identity", "exactly one of `oidc` and `cognito`"]),
        ("images.tracking", "registry.example.com/tracking:latest", ["aws.images.tracking", "latest", "digest"]),
        ("images.tracking", "registry.example.com:5000/tracking", ["aws.images.tracking", "5000/tracking", "digest"]),
        ("expires", "2030-01-31T18:00:00+00:00", ["expires", "ephemeral"]),
        ("account_id", "12", ["aws.account_id", "12"]),
        ("databse", {}, ["aws.databse", "no such setting"]),
    ],
)
def test_a_bad_setting_is_one_line_with_key_value_and_expectation(path: str, value: Any, said: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed(changed(path, value))
    (line,) = str(caught.value).splitlines()
    assert line.startswith("Pulumi.prod.yaml: ")
    for part in said:
        assert part in line


@pytest.mark.parametrize(
    "missing", ["database.multi_az", "database.deletion_protection", "database.final_snapshot", "ephemeral", "backups"]
)
def test_safety_is_stated_and_never_assumed(missing: str) -> None:
    config = json.loads(json.dumps(configuration("prod")))
    part = config["aws"]
    *parents, last = missing.split(".")
    for name in parents:
        part = part[name]
    del part[last]
    with pytest.raises(SettingsError, match=f"aws.{missing}.*required"):
        parsed(config)


def test_a_domain_needs_its_zone() -> None:
    config = json.loads(json.dumps(configuration("prod")))
    del config["aws"]["edge"]["zone_id"]
    with pytest.raises(SettingsError, match=r"aws.edge.zone_id.*required"):
        parsed(config)


def test_an_image_is_pinned_by_digest_too() -> None:
    pinned = f"registry.example.com:5000/tracking@sha256:{'0' * 64}"
    section = parsed(changed("images.tracking", pinned)).aws
    assert section is not None
    assert section.images["tracking"] == pinned


@pytest.mark.parametrize("source", ["dev", "prod"])
def test_an_ephemeral_stack_can_be_made_of_any(source: str) -> None:
    section = parsed(derive(configuration(source), "pr-123", EXPIRES), "pr-123").aws
    assert section is not None
    assert section.ephemeral
    assert section.edge.domain.startswith("pr-123.")
    assert section.artifacts.replica_region is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("database.deletion_protection", True),
        ("database.final_snapshot", True),
        ("database.backup_retention_days", 7),
        ("backups", {"retention_days": 7, "lock": "none", "restore_test": False}),
        ("expires", None),
        ("expires", "tomorrow"),
    ],
)
def test_an_ephemeral_stack_may_leave_nothing_behind(path: str, value: Any) -> None:
    config = derive(configuration("dev"), "pr-1", EXPIRES)
    part = config["aws"]
    *parents, last = path.split(".")
    for name in parents:
        part = part[name]
    part[last] = value
    with pytest.raises(SettingsError, match=r"ephemeral|ISO 8601"):
        parsed(config, "pr-1")


def test_writing_an_ephemeral_stack_leaves_its_source_as_it_was() -> None:
    source = configuration("dev")
    before = json.dumps(source)
    derive(source, "pr-1", EXPIRES)
    assert json.dumps(source) == before
