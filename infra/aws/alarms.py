"""What wakes somebody: alarms on database, load balancer, cluster, bucket and backups, and a budget for the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from infra import settings_aws
from infra.aws.iam import allow, document
from infra.aws.scope import Scope

Dimensions = Mapping[str, pulumi.Input[str]]
GIB = 2**30


@dataclass(frozen=True)
class Alarm:
    """Fires when `metric` is `above` or `below` the threshold (in the metric's own unit) for `minutes`."""

    name: str
    namespace: str
    metric: str
    statistic: str
    side: Literal["above", "below"]
    threshold: float
    minutes: int
    meaning: str
    missing: Literal["notBreaching", "breaching", "missing"] = "notBreaching"


DATABASE = (
    Alarm("cpu", "AWS/RDS", "CPUUtilization", "Average", "above", 80, 15, "The database is short of CPU"),
    Alarm(
        "storage", "AWS/RDS", "FreeStorageSpace", "Minimum", "below", 5 * GIB, 15, "The database disk is nearly full"
    ),
    Alarm(
        "memory", "AWS/RDS", "FreeableMemory", "Average", "below", 0.125 * GIB, 15, "The database is short of memory"
    ),
)
LOAD_BALANCER = (
    Alarm("5xx", "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", "above", 20, 5, "Requests fail in the pods"),
    Alarm("unreached", "AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", "above", 20, 5, "No healthy pod answers"),
    Alarm("slow", "AWS/ApplicationELB", "TargetResponseTime", "Average", "above", 2, 15, "Answers take over 2 s"),
)
CLUSTER = (
    Alarm("api-5xx", "AWS/EKS", "apiserver_request_total_5XX", "Sum", "above", 50, 15, "The Kubernetes API fails"),
    Alarm(
        "unschedulable",
        "AWS/EKS",
        "scheduler_pending_pods_UNSCHEDULABLE",
        "Average",
        "above",
        0,
        15,
        "Pods fit nowhere",
    ),
)
BUCKET = (Alarm("5xx", "AWS/S3", "5xxErrors", "Sum", "above", 10, 15, "S3 fails to serve artifacts"),)
BACKUPS = (Alarm("failed", "AWS/Backup", "NumberOfBackupJobsFailed", "Sum", "above", 0, 60, "A backup failed"),)
RESTORES = (Alarm("failed", "AWS/Backup", "NumberOfRestoreJobsFailed", "Sum", "above", 0, 60, "A restore failed"),)


@dataclass(frozen=True)
class AlarmsArgs:
    scope: Scope
    settings: settings_aws.Alarms
    key: pulumi.Input[str]
    cost_tag: tuple[str, str]
    """The tag whose cost the budget counts; it has to be activated as a cost allocation tag once in the account."""


class Alarms(pulumi.ComponentResource):
    """Output: the topic that all alarms go to."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Alarms", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(name, kms_master_key_id=args.key, opts=self._child)
        self.topic = topic.arn
        services = {"Service": ["cloudwatch.amazonaws.com", "backup.amazonaws.com"]}
        mine = {"StringEquals": {"aws:SourceAccount": args.scope.account_id}}
        aws.sns.TopicPolicy(
            name,
            arn=topic.arn,
            policy=document(allow("Services", ["sns:Publish"], [topic.arn], Principal=services, Condition=mine)),
            opts=self._child,
        )
        for index, email in enumerate(args.settings.emails):
            aws.sns.TopicSubscription(
                f"{name}-{index}", topic=topic.arn, protocol="email", endpoint=email, opts=self._child
            )
        self._budget(name, args)
        self.register_outputs({"topic": self.topic})

    def watch(self, subject: str, alarms: Sequence[Alarm], dimensions: Dimensions) -> None:
        """Makes each of `alarms` for the metrics of `dimensions`; `subject` starts their names."""
        for alarm in alarms:
            aws.cloudwatch.MetricAlarm(
                f"{subject}-{alarm.name}",
                alarm_description=f"{alarm.meaning}. What to do: docs/aws.md, section Alarms.",
                namespace=alarm.namespace,
                metric_name=alarm.metric,
                dimensions=dimensions,
                statistic=alarm.statistic,
                comparison_operator="GreaterThanThreshold" if alarm.side == "above" else "LessThanThreshold",
                threshold=alarm.threshold,
                period=300,
                evaluation_periods=alarm.minutes // 5,
                treat_missing_data=alarm.missing,
                alarm_actions=[self.topic],
                ok_actions=[self.topic],
                opts=self._child,
            )

    def _budget(self, name: str, args: AlarmsArgs) -> None:
        tag, value = args.cost_tag
        aws.budgets.Budget(
            name,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(args.settings.monthly_budget_usd),
            limit_unit="USD",
            cost_filters=[aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[f"user:{tag}${value}"])],
            notifications=[
                aws.budgets.BudgetNotificationArgs(
                    comparison_operator="GREATER_THAN",
                    notification_type=kind,
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    subscriber_email_addresses=list(args.settings.emails),
                )
                for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
            opts=self._child,
        )
