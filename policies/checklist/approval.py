"""Point 5: no model is served that somebody else than its author did not approve."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.checklist.authentication import IDENTITY_FILES, NOT_YET
from policies.model import UNKNOWN, Resource, Stack, items
from policies.rule import Found, ResourcePolicy, StackPolicy, shown
from policies.workloads import containers, identity_settings, model_servers, servers

POINT = "approval"
URL = "https://mlflow.org/docs/latest/ml/model-registry/workflow/"
PROTECTED = frozenset({"champion", "previous-champion", "staging"})
"""Aliases that the tracking server lets only approvers move, on every platform."""


def _guarded(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        if container.is_server and container.command[:3] != ("mlops", "tracking", "serve"):
            yield (
                f"{container.name!r} runs {' '.join(map(str, container.command[:3]))!r}; "
                "expected `mlops tracking serve`"
            )


guarded = ResourcePolicy(
    "registry-guarded",
    POINT,
    "critical",
    "The tracking server is stock MLflow, where every editor moves every alias. Start it with `mlops tracking serve`.",
    URL,
    tokens.WORKLOADS,
    _guarded,
)


def _four_eyes(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        value = container.env.get("MLOPS_FOUR_EYES")
        if container.is_server and value != "true":
            yield f"MLOPS_FOUR_EYES of {container.name!r} is {shown(value)}; expected true"


four_eyes = ResourcePolicy(
    "registry-four-eyes",
    POINT,
    "high",
    "An author may approve a model alone. Set registry.four_eyes: true.",
    URL,
    tokens.WORKLOADS,
    _four_eyes,
)


def _approvers(resource: Resource) -> Iterable[str]:
    for team in items((identity_settings(resource) or {}).get("teams", ())):
        if not (team.get("roles") or {}).get("approver"):
            yield f"team {team.get('name')!r} has no approvers, so its models cannot be promoted; add roles.approver"


approvers = ResourcePolicy(
    "teams-have-approvers",
    POINT,
    "medium",
    "A team has nobody who may approve its models. Add an `approver` group to the team.",
    URL,
    IDENTITY_FILES,
    _approvers,
    deferred=NOT_YET,
)


def _approvers_apart(resource: Resource) -> Iterable[str]:
    for team in items((identity_settings(resource) or {}).get("teams", ())):
        roles = team.get("roles") or {}
        for group in roles.get("approver") or ():
            if (
                group in (roles.get("editor") or ())
                or group in (roles.get("viewer") or ())
                or group in ("*", "everyone")
            ):
                yield (
                    f"group {group!r} of team {team.get('name')!r} approves and has another role; "
                    "use a group of its own"
                )


approvers_apart = ResourcePolicy(
    "approvers-apart",
    POINT,
    "high",
    "A team's approvers are its editors or everybody. Give `approver` a group of its own.",
    URL,
    IDENTITY_FILES,
    _approvers_apart,
    deferred=NOT_YET,
)


def _admins(resource: Resource) -> Iterable[str]:
    document = identity_settings(resource) or {}
    for group in document.get("admins", ()):
        holders = [
            str(team.get("name"))
            for team in items(document.get("teams", ()))
            for groups in (team.get("roles") or {}).values()
            if group in groups
        ]
        if holders or group in ("*", "everyone"):
            yield (
                f"admin group {group!r} is also a team's ({', '.join(holders) or 'everybody'}); admins pass every guard"
            )


admins_apart = ResourcePolicy(
    "admins-apart",
    POINT,
    "high",
    "A team's members administer the platform and pass its guards. Give `admins` a group of its own.",
    URL,
    IDENTITY_FILES,
    _admins,
    deferred=NOT_YET,
)


def _protected_alias(stack: Stack) -> Iterable[Found]:
    named = {each.env.get("MLOPS_PROTECTED_ALIASES") for each in servers(stack)}
    protected = PROTECTED.union(*(value.split(",") for value in named if isinstance(value, str)))
    for each in model_servers(stack):
        alias = each.env.get("MLOPS_MODEL_ALIAS")
        if alias is not UNKNOWN and alias not in protected:
            yield (
                each.resource,
                f"serves the alias {shown(alias)}, which every editor may move; add it to protected_aliases",
            )


protected_alias = StackPolicy(
    "served-alias-protected",
    POINT,
    "high",
    "A served alias can be moved without approval. Serve `champion`, or add the alias to registry.protected_aliases.",
    URL,
    _protected_alias,
)

POLICIES = (guarded, four_eyes, approvers, approvers_apart, admins_apart, protected_alias)
