"""What a recording promises to everyone who reads stacks through it."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pytest

from infra import computed, recording
from infra.recording import UNKNOWN, Recording
from infra.settings import SettingsError


def test_two_recordings_of_a_stack_in_one_process_are_equal(recorder: Callable[..., Recording]) -> None:
    again = recording.record("dev")
    assert {r.urn: r for r in again.resources} == {r.urn: r for r in recorder("dev").resources}
    assert again.outputs == recorder("dev").outputs


def test_every_resource_comes_after_those_it_depends_on(any_state: Recording) -> None:
    seen: set[str] = set()
    for resource in any_state.resources:
        assert resource.dependencies <= seen, resource.urn
        seen.add(resource.urn)


def test_no_two_resources_have_one_urn(aws_stack: Recording) -> None:
    urns = [resource.urn for resource in aws_stack.resources]
    assert len(urns) == len(set(urns))


def test_a_preview_registers_what_an_update_registers(recorder: Callable[..., Recording]) -> None:
    for stack in ("dev", "prod", "pr-1"):
        planned = {resource.urn for resource in recorder(stack, True).resources}
        assert planned == {resource.urn for resource in recorder(stack).resources}


def test_ids_are_unknown_in_a_preview(recorder: Callable[..., Recording]) -> None:
    subnets = recorder("prod", True).of("aws:ec2/subnet:Subnet")
    assert subnets
    assert all(subnet.inputs["vpcId"] is UNKNOWN for subnet in subnets)


def test_a_provider_function_without_a_mock_ends_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "CALLS", {})
    with pytest.raises(Exception, match=r"the program called aws:\S+, which recordings do not mock"):
        recording.record("prod")


def test_bad_settings_end_the_program_before_it_registers_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    monkeypatch.setattr(recording._Mocks, "new_resource", lambda _, args: registered.append(args.name))
    with pytest.raises(SettingsError, match=r"aws.database.backup_retention_days|database.backup_retention_days = 0"):
        recording.record("prod", overrides={"aws.database.backup_retention_days": 0})
    assert registered == []


def test_an_override_reaches_the_program() -> None:
    changed = recording.record("dev", overrides={"aws.database.instance_class": "db.t4g.small"})
    assert changed.one("aws:rds/instance:Instance").inputs["instanceClass"] == "db.t4g.small"


def test_secrets_are_known_as_secrets(prod: Recording) -> None:
    secrets = [resource for resource in prod.resources if resource.type == "kubernetes:core/v1:Secret"]
    assert secrets
    assert all("stringData" in secret.secrets for secret in secrets)


def test_only_what_the_mocks_make_up_is_made_up(prod: Recording) -> None:
    made = {type_ for type_ in computed.COMPUTED if type_.startswith("aws:")}
    unused = made - {resource.type for resource in prod.resources} - {"aws:cognito/userPool:UserPool"}
    assert unused <= {"aws:cognito/userPoolClient:UserPoolClient"}


def test_the_ambient_stack_is_left_alone() -> None:
    before = pulumi.get_stack()
    recording.record("dev")
    assert pulumi.get_stack() == before
