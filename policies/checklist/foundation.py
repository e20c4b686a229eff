"""What AWS asks of the account that the twelve points stand on: whose it is, what it costs, who is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from policies import tokens
from policies.cost import monthly
from policies.model import UNKNOWN, Resource, Stack
from policies.rule import FILLED, FOUNDATION, Found, ResourcePolicy, StackPolicy, inputs, shown

POINT = FOUNDATION
HUB = "https://docs.aws.amazon.com/securityhub/latest/userguide"


def _attributed(resource: Resource) -> Iterable[str]:
    tags = _tags(resource)
    if tags is not None:
        for name in ("project", "stack"):
            if not tags.get(name):
                yield f"default_tags have no {name!r}"
    if resource.get("allowedAccountIds") in (None, "", "[]"):
        yield "allowed_account_ids is not set, so the stack may be deployed into any account"


attributed = ResourcePolicy(
    "resources-attributed",
    POINT,
    "medium",
    "Nobody can tell whose resources these are, or they land in another account. "
    "Set default_tags and allowed_account_ids.",
    "https://docs.aws.amazon.com/whitepapers/latest/tagging-best-practices/tagging-best-practices.html",
    (tokens.AWS_PROVIDER,),
    _attributed,
)


def _expires(stack: Stack) -> Iterable[Found]:
    if not stack.parameters.get("ephemeral"):
        return
    for provider in stack.of(tokens.AWS_PROVIDER):
        expires = (_tags(provider) or {}).get("expires")
        try:
            datetime.fromisoformat(str(expires))
        except ValueError:
            yield provider, f"default_tags.expires is {shown(expires)}; expected the time of removal (aws.expires)"


expires = StackPolicy(
    "ephemeral-stack-expires",
    POINT,
    "high",
    "An ephemeral stack does not say when it may be removed. Set aws.expires.",
    "https://docs.aws.amazon.com/whitepapers/latest/tagging-best-practices/tagging-best-practices.html",
    _expires,
)


def _budget(stack: Stack) -> Iterable[Found]:
    budgets = stack.of(tokens.BUDGET)
    providers = stack.of(tokens.AWS_PROVIDER)
    if providers and stack.of(tokens.EKS_CLUSTER, tokens.RDS_INSTANCE) and not budgets:
        yield providers[0], "the stack has no Budget; set aws.alarms.monthly_budget_usd"
    for budget in budgets:
        told = [each for each in budget.every("notifications") if each.get("subscriberEmailAddresses")]
        if not told:
            yield budget, "notifies nobody"


budget = StackPolicy(
    "budget-present",
    POINT,
    "high",
    "Nobody is told when the stack costs too much. Add a budget with subscribers.",
    "https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-managing-costs.html",
    _budget,
)


def _affordable(stack: Stack) -> Iterable[Found]:
    for each in stack.of(tokens.BUDGET):
        limit, price = float(str(each.get("limitAmount") or 0)), monthly(stack)
        if price is not None and price > limit:
            yield each, f"the stack costs at least {price:.0f} USD a month; its budget is {limit:.0f}"


affordable = StackPolicy(
    "cost-under-budget",
    POINT,
    "medium",
    "The stack costs more than its budget before anybody uses it. "
    "Make it smaller, or raise aws.alarms.monthly_budget_usd.",
    "https://docs.aws.amazon.com/wellarchitected/latest/cost-optimization-pillar/welcome.html",
    _affordable,
)
topic_encrypted = ResourcePolicy(
    "topic-encrypted",
    POINT,
    "medium",
    "Alarms are stored unencrypted. Set kms_master_key_id.",
    f"{HUB}/sns-controls.html#sns-1",
    (tokens.TOPIC,),
    inputs({"kmsMasterKeyId": FILLED}),
)
logs_encrypted = ResourcePolicy(
    "logs-encrypted",
    POINT,
    "low",
    "Logs are not encrypted with a key of the stack. Set kms_key_id.",
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
    (tokens.LOG_GROUP,),
    inputs({"kmsKeyId": FILLED}),
)


def _tags(provider: Resource) -> dict[str, Any] | None:
    """The provider's default tags, which arrive as JSON text; None when they are not known yet."""
    value = provider.get("defaultTags")
    if value is UNKNOWN:
        return None
    document = json.loads(value) if isinstance(value, str) else value or {}
    return dict(document.get("tags") or {})


POLICIES = (
    attributed,
    expires,
    budget,
    affordable,
    topic_encrypted,
    logs_encrypted,
)
