"""The web application firewall in front of the load balancer: AWS's managed rules, and a limit for each address.

The body-size rule only counts: an artifact is larger than any form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

RULES: Mapping[str, tuple[str, ...]] = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesKnownBadInputsRuleSet": (),
    "AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY",),
}
"""Each managed rule group, and those of its rules that count instead of blocking."""

REQUESTS_PER_5_MINUTES = 10_000
"""A training run that logs thirty times a second stays below it."""


@dataclass(frozen=True)
class FirewallArgs:
    metric: str


class Firewall(pulumi.ComponentResource):
    """Output: the ARN of the web ACL."""

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Firewall", name, None, opts)
        managed = [self._managed(index, group, counted) for index, (group, counted) in enumerate(RULES.items())]
        self.arn = aws.wafv2.WebAcl(
            name,
            scope="REGIONAL",
            default_action=aws.wafv2.WebAclDefaultActionArgs(allow=aws.wafv2.WebAclDefaultActionAllowArgs()),
            rules=[*managed, self._limit(len(managed))],
            visibility_config=aws.wafv2.WebAclVisibilityConfigArgs(
                cloudwatch_metrics_enabled=True, metric_name=args.metric, sampled_requests_enabled=False
            ),
            opts=pulumi.ResourceOptions(parent=self),
        ).arn
        self.register_outputs({"arn": self.arn})

    def _managed(self, priority: int, group: str, counted: tuple[str, ...]) -> aws.wafv2.WebAclRuleArgs:
        only_count = aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseArgs(
            count=aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseCountArgs()
        )
        statement = aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementArgs(
            vendor_name="AWS",
            name=group,
            rule_action_overrides=[
                aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideArgs(
                    name=rule, action_to_use=only_count
                )
                for rule in counted
            ],
        )
        return aws.wafv2.WebAclRuleArgs(
            name=group,
            priority=priority,
            override_action=aws.wafv2.WebAclRuleOverrideActionArgs(none=aws.wafv2.WebAclRuleOverrideActionNoneArgs()),  # type: ignore[no-untyped-call]
            statement=aws.wafv2.WebAclRuleStatementArgs(managed_rule_group_statement=statement),
            visibility_config=_visible(group),
        )

    def _limit(self, priority: int) -> aws.wafv2.WebAclRuleArgs:
        return aws.wafv2.WebAclRuleArgs(
            name="RequestsPerAddress",
            priority=priority,
            action=aws.wafv2.WebAclRuleActionArgs(block=aws.wafv2.WebAclRuleActionBlockArgs()),
            statement=aws.wafv2.WebAclRuleStatementArgs(
                rate_based_statement=aws.wafv2.WebAclRuleStatementRateBasedStatementArgs(
                    limit=REQUESTS_PER_5_MINUTES, aggregate_key_type="IP"
                )
            ),
            visibility_config=_visible("RequestsPerAddress"),
        )


def _visible(metric: str) -> aws.wafv2.WebAclRuleVisibilityConfigArgs:
    return aws.wafv2.WebAclRuleVisibilityConfigArgs(
        cloudwatch_metrics_enabled=True, metric_name=metric, sampled_requests_enabled=False
    )
