"""Every mutant of a recorded stack is caught by a policy of its point; the recorded stacks themselves by none."""

from __future__ import annotations

from collections import Counter

import pytest

from policies import tokens
from policies.checklist import POLICIES
from policies.judge import CANNOT_READ, found, judge
from policies.levels import environment
from policies.model import Stack
from policies.rule import FOUNDATION, Policy, ResourcePolicy
from tests.policies.edits import Drop, Edit, Link, NotKnown, edited
from tests.policies.mutants import MUTANTS, Mutant
from tests.policies.stacks import NAMES, stack

BY_NAME = {policy.name: policy for policy in POLICIES}


def _found(policy: Policy, subject: Stack) -> set[tuple[str, str]]:
    said = {(resource.urn if resource else "", message) for resource, message in found(policy, subject)}
    assert not [message for _, message in said if CANNOT_READ in message]
    return said


def _id(mutant: Mutant) -> str:
    return f"{mutant.point}: {mutant.claim} -> {mutant.policy}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=_id)
def test_mutant_is_caught_by_a_policy_of_its_point(mutant: Mutant) -> None:
    policy = BY_NAME[mutant.policy]
    original = stack(mutant.stack)
    before = _found(policy, original)
    after = _found(policy, edited(original, mutant.edits))
    assert policy.point == mutant.point
    assert after - before, f"{mutant.policy} does not see it"


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@pytest.mark.parametrize("name", NAMES)
def test_unmutated_stack_has_no_violation(name: str, unknown: bool) -> None:
    violations = list(judge(stack(name, unknown), environment(name)))
    assert [each for each in violations if each.level == "mandatory"] == []
    if name in ("local", "prod"):
        assert violations == []


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_policy_has_a_mutant_and_matches_a_real_resource(policy: Policy) -> None:
    if isinstance(policy, ResourcePolicy):
        assert any(stack(each).of(*policy.types) for each in NAMES), "it matches nothing that is recorded"
    if policy.name not in WITHOUT_MUTANT:
        assert any(mutant.policy == policy.name for mutant in MUTANTS), "nothing shows that it can fail"


WITHOUT_MUTANT = {"backend-connected", "artifacts-connected"}
"""They speak only while ids are unknown; see `test_unlinked_store_is_noticed_before_ids_are_known`."""


@pytest.mark.parametrize(
    ("policy", "edits"),
    [
        ("backend-connected", (Link(tokens.DEPLOYMENT, "tracking", "spec"),)),
        ("backend-connected", (Drop(tokens.RDS_INSTANCE, "database"),)),
        ("artifacts-connected", (Link(tokens.DEPLOYMENT, "tracking", "spec"),)),
        ("artifacts-connected", (Drop(tokens.BUCKET, "artifacts"),)),
    ],
)
def test_unlinked_store_is_noticed_before_ids_are_known(policy: str, edits: tuple[Edit, ...]) -> None:
    assert not _found(BY_NAME[policy], stack("prod", True))
    assert _found(BY_NAME[policy], edited(stack("prod", True), edits))


def test_every_enforced_point_has_five_mutants_and_all_have_a_hundred() -> None:
    counts = Counter(mutant.point for mutant in MUTANTS)
    enforced = {policy.point for policy in POLICIES} - {FOUNDATION}
    assert len(MUTANTS) >= 100
    assert {point: counts[point] for point in enforced if counts[point] < 5} == {}


def test_unknown_ids_leave_no_mandatory_policy_vacuous() -> None:
    """With every id unknown each policy still catches a mutant, unless it says why it must wait for `up`."""
    caught: set[str] = set()
    for mutant in MUTANTS:
        policy, original = BY_NAME[mutant.policy], stack(mutant.stack, True)
        try:
            changed = edited(original, mutant.edits)
        except NotKnown:
            continue
        if _found(policy, changed) - _found(policy, original):
            caught.add(policy.name)
    vacuous = {policy.name for policy in POLICIES if not policy.deferred} - caught - WITHOUT_MUTANT
    assert vacuous == set()
