"""The policies as the Pulumi engine wants them. `policies/__main__.py` alone makes the pack of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import pulumi_policy
from pulumi_policy import (
    EnforcementLevel,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import _is_unknown

from policies.checklist import POLICIES
from policies.judge import exceptions_current, of_resource, of_stack
from policies.levels import Environment, environment
from policies.model import UNKNOWN, Resource, Stack
from policies.rule import Policy, ResourcePolicy, StackPolicy

LEVELS = {
    "mandatory": EnforcementLevel.MANDATORY,
    "advisory": EnforcementLevel.ADVISORY,
    "off": EnforcementLevel.DISABLED,
}


def policies(env: Mapping[str, str] = os.environ) -> list[pulumi_policy.Policy]:
    """All policies at the levels of the stack that the engine names in PULUMI_STACK."""
    where = environment(env.get("PULUMI_STACK", ""))
    return [_pulumi(policy, where) for policy in (*POLICIES, exceptions_current(where.levels))]


def _pulumi(policy: Policy, where: Environment) -> ResourceValidationPolicy | StackValidationPolicy:
    common: dict[str, Any] = {
        "name": policy.name,
        "description": policy.description,
        "enforcement_level": LEVELS[where.levels.of(policy.name).level],
        "severity": Severity(policy.severity),
        "tags": [policy.point],
        "url": policy.url,
    }
    if isinstance(policy, ResourcePolicy):
        return ResourceValidationPolicy(validate=_resource_check(policy, where), **common)
    return StackValidationPolicy(validate=_stack_check(policy, where), **common)


def _resource_check(
    policy: ResourcePolicy, where: Environment
) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type in policy.types and not _spared(policy, args.urn, where):
            resource = Resource(args.resource_type, args.name, args.urn, plain(args.props))
            for message in of_resource(policy, resource):
                report(message, None)

    return validate


def _stack_check(policy: StackPolicy, where: Environment) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = Stack(where.stack, [_resource(each) for each in args.resources], where.levels.parameters)
        for resource, message in of_stack(policy, stack):
            urn = resource.urn if resource is not None else None
            if not _spared(policy, urn or "", where):
                report(message, urn)

    return validate


def _spared(policy: Policy, urn: str, where: Environment) -> bool:
    return any(each.spares(policy.name, urn) for each in where.levels.exceptions)


def _resource(given: PolicyResource) -> Resource:
    links = {key: frozenset(each.urn for each in found) for key, found in given.property_dependencies.items()}
    return Resource(given.resource_type, given.name, given.urn, plain(given.props), links)


def plain(value: Any) -> Any:
    """`value` without pulumi-policy's proxies, which raise on what is not known yet; that becomes UNKNOWN."""
    if _is_unknown(value):
        return UNKNOWN
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    target = value["__target"] if type(value).__name__ in ("_DictProxy", "_ListProxy") else value
    if isinstance(target, Mapping):
        return {key: plain(item) for key, item in target.items()}
    if isinstance(target, list | tuple):
        return [plain(item) for item in target]
    return value
