"""The pack says in pulumi-policy's words what the offline report says, with the engine's proxies for unknown values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pulumi_policy import (
    EnforcementLevel,
    PolicyResource,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.policy import PolicyCustomTimeouts, PolicyResourceOptions
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from mlops.registry.standing import WORKFLOW_ALIASES
from policies import tokens
from policies.checklist import POLICIES, approval
from policies.judge import CANNOT_READ, found, judge
from policies.levels import environment
from policies.model import UNKNOWN, Stack
from policies.pack import policies
from policies.table import BEGIN, END, README, table, written
from tests.policies.edits import REMOVED, Drop, Edit, Put, edited
from tests.policies.stacks import NAMES, stack


def _wire(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    if isinstance(value, dict):
        return {key: _wire(item) for key, item in value.items()}
    return [_wire(item) for item in value] if isinstance(value, list) else value


def _engine(subject: Stack, name: str) -> set[tuple[str, str, str]]:
    """Policy, URN and message of everything that the pack reports, called as the engine's servicer calls it."""
    options = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    resources = {
        each.urn: PolicyResource(
            each.type,
            unknown_checking_proxy(_wire(dict(each.inputs))),
            each.urn,
            each.name,
            options,
            None,
            None,
            [],
            {},
        )
        for each in subject.resources
    }
    for each in subject.resources:
        resources[each.urn].property_dependencies = {
            key: [resources[urn] for urn in urns if urn in resources] for key, urns in each.links.items()
        }
    said: set[tuple[str, str, str]] = set()
    for policy in policies({"PULUMI_STACK": name}):
        if policy.enforcement_level == EnforcementLevel.DISABLED:
            continue
        if isinstance(policy, ResourceValidationPolicy):
            for given in resources.values():
                args = ResourceValidationArgs(
                    given.resource_type, given.props, given.urn, given.name, options, None, None
                )
                policy.validate(args, _reporter(said, policy.name, given.urn))
        else:
            assert isinstance(policy, StackValidationPolicy)
            policy.validate(StackValidationArgs(list(resources.values())), _reporter(said, policy.name, ""))
    return said


def _reporter(said: set[tuple[str, str, str]], policy: str, subject: str) -> Callable[[str, str | None], None]:
    return lambda message, urn: said.add((policy, urn or subject, message))


BROKEN: tuple[Edit, ...] = (
    Put(tokens.RDS_INSTANCE, "database", "storageEncrypted", False),
    Drop(tokens.BUCKET_VERSIONING, "artifacts"),
    Drop(tokens.NETWORK_POLICY, "default-deny"),
    Put(tokens.DEPLOYMENT, "tracking", "spec.template.spec.containers.[mlflow].env.[MLOPS_FOUR_EYES]", REMOVED),
)


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@pytest.mark.parametrize("name", NAMES)
def test_pack_and_offline_report_agree(name: str, unknown: bool) -> None:
    subject = stack(name, unknown)
    subject = edited(subject, BROKEN) if name == "prod" else subject
    offline = {(each.policy.name, each.urn, each.message) for each in judge(subject, environment(name))}
    assert _engine(subject, name) == offline
    assert bool(offline) == (name in ("prod", "dev"))


def test_pack_has_every_policy_once() -> None:
    names = [policy.name for policy in policies({"PULUMI_STACK": "prod"})]
    assert sorted(names) == sorted({*(policy.name for policy in POLICIES), "exceptions-current"})
    assert all(policy.enforcement_level == EnforcementLevel.MANDATORY for policy in policies({"PULUMI_STACK": "prod"}))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_policy_says_what_is_wrong_how_to_mend_it_and_where_to_read_on(policy: Any) -> None:
    assert policy.url.startswith("https://")
    assert len(policy.description.split(". ")) >= 2, "what is wrong, then how to mend it"


SHAPES: tuple[Any, ...] = (None, UNKNOWN, "text", 7, True, [], {}, [None], {"spec": "none"}, [{"name": "x"}])


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_no_input_of_another_shape_crashes_a_policy(shape: Any) -> None:
    """Somebody else's program, whose resources have the same types and other inputs."""
    for name in ("prod", "local"):
        given = stack(name)
        resources = [replace(each, inputs=dict.fromkeys(each.inputs, shape)) for each in given.resources]
        for policy in POLICIES:
            list(found(policy, replace(given, resources=resources)))


def test_input_that_cannot_be_read_is_a_violation() -> None:
    broken = edited(
        stack("prod"), (Put(tokens.DEPLOYMENT, "tracking", "spec.template.spec.containers.0.resources", 7),)
    )
    policy = next(each for each in POLICIES if each.name == "containers-limited")
    assert [message for _, message in found(policy, broken) if CANNOT_READ in message]


def test_protected_aliases_are_those_of_the_registry() -> None:
    assert approval.PROTECTED == WORKFLOW_ALIASES


def test_table_has_a_row_for_each_point_and_is_written_between_the_markers() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    new = written(text)
    assert new == f"before\n{BEGIN}\n{table()}\n{END}\nafter\n"
    assert written(new) == new
    assert len(table().splitlines()) == 14
    with pytest.raises(ValueError, match="once each"):
        written("no markers")


def test_readme_has_the_table() -> None:
    text = README.read_text()
    assert written(text) == text, "next: python -m policies.table"
