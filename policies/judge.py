"""Runs policies over a stack, and says what an expired exception is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from policies.checklist import POLICIES
from policies.levels import Environment, Levels
from policies.model import Resource, Stack
from policies.rule import FOUNDATION, Found, Policy, ResourcePolicy, StackPolicy

UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
CANNOT_READ = "has inputs of a shape that no provider takes"


@dataclass(frozen=True)
class Violation:
    """One thing wrong. `urn` is empty when it is the stack as a whole."""

    policy: Policy
    level: Literal["mandatory", "advisory"]
    urn: str
    message: str


def exceptions_current(levels: Levels) -> StackPolicy:
    """The policy that an exception ends on its day and names a policy that there is."""

    def validate(_: Stack) -> Iterable[Found]:
        names = {policy.name for policy in POLICIES}
        for each in levels.exceptions:
            if each.expired():
                yield None, f"the exception of {each.resource} from {each.policy} ended on {each.expires}"
        for name in sorted({*levels.levels, *(each.policy for each in levels.exceptions)} - names):
            yield None, f"{name} is no policy"

    return StackPolicy(
        "exceptions-current",
        FOUNDATION,
        "high",
        "A levels file names an exception that has ended, or no policy. "
        "Mend the resource, or decide again on a new day.",
        "https://www.pulumi.com/docs/insights/policy/",
        validate,
    )


def judge(stack: Stack, environment: Environment, policies: Iterable[Policy] = POLICIES) -> Iterator[Violation]:
    """Every violation of the stack, in the order of the policies, without those that an exception spares."""
    levels = environment.levels
    for policy in (*policies, exceptions_current(levels)):
        level = levels.of(policy.name).level
        if level == "off":
            continue
        for resource, message in found(policy, stack):
            urn = resource.urn if resource is not None else ""
            if not any(each.spares(policy.name, urn) for each in levels.exceptions):
                yield Violation(policy, level, urn, message)


def found(policy: Policy, stack: Stack) -> Iterator[Found]:
    """What one policy finds in the stack."""
    if isinstance(policy, ResourcePolicy):
        for resource in stack.of(*policy.types):
            yield from ((resource, message) for message in of_resource(policy, resource))
    else:
        yield from of_stack(policy, stack)


def of_resource(policy: ResourcePolicy, resource: Resource) -> list[str]:
    """What a policy finds in one resource. Inputs that it cannot read are a finding, not a crash and not a pass."""
    try:
        return list(policy.validate(resource))
    except UNREADABLE as error:
        return [_unreadable(error)]


def of_stack(policy: StackPolicy, stack: Stack) -> list[Found]:
    """What a policy finds in the whole stack; see `of_resource`."""
    try:
        return list(policy.validate(stack))
    except UNREADABLE as error:
        return [(None, _unreadable(error))]


def _unreadable(error: Exception) -> str:
    return f"{CANNOT_READ} ({type(error).__name__}: {error}); compare them with the provider's schema"
