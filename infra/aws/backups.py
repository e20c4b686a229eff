"""AWS Backup: daily copies of the database and the artifacts in a vault of their own, restored every week as a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import settings_aws
from infra.aws.iam import Role, service_role
from infra.aws.keys import key
from infra.aws.scope import Scope

POLICIES = (
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "AWSBackupServiceRolePolicyForS3Backup",
    "AWSBackupServiceRolePolicyForS3Restore",
)
NIGHTLY, WEEKLY = "cron(0 3 * * ? *)", "cron(0 6 ? * SUN *)"


def backup_role(opts: pulumi.ResourceOptions) -> Role:
    """The role that AWS Backup reads and restores with; the artifact bucket's policy has to know it."""
    return service_role("backup", "backup.amazonaws.com", opts, managed=POLICIES)


@dataclass(frozen=True)
class BackupsArgs:
    """`resources` are ARNs by AWS Backup's own name of their type.

    `restored` are the types that the weekly test restores, with the metadata that puts each copy in a safe place. The
    bucket is not among them: its test would copy every artifact every week.
    """

    scope: Scope
    settings: settings_aws.Backups
    role: Role
    resources: Mapping[str, pulumi.Input[str]]
    restored: Mapping[str, Mapping[str, pulumi.Input[str]]]
    topic: pulumi.Input[str]


class Backups(pulumi.ComponentResource):
    """Output: the vault's name."""

    def __init__(self, name: str, args: BackupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Backups", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        vault = self._vault(name)
        self.vault = vault.name
        aws.backup.VaultNotifications(
            name,
            backup_vault_name=vault.name,
            sns_topic_arn=args.topic,
            backup_vault_events=["BACKUP_JOB_FAILED", "COPY_JOB_FAILED", "RESTORE_JOB_COMPLETED"],
            opts=self._child,
        )
        self._plan(vault)
        if args.settings.restore_test:
            self._restore_test(vault)
        self.register_outputs({"vault": self.vault})

    def _vault(self, name: str, region: str | None = None) -> aws.backup.Vault:
        scope, settings = self._args.scope, self._args.settings
        encryption = key(name, scope, "backups", self._child, region=region)
        vault = aws.backup.Vault(
            name,
            kms_key_arn=encryption.arn,
            force_destroy=False,
            region=region,
            opts=pulumi.ResourceOptions(parent=self, protect=scope.protect),
        )
        if settings.lock != "none":
            aws.backup.VaultLockConfiguration(
                name,
                backup_vault_name=vault.name,
                min_retention_days=settings.retention_days,
                changeable_for_days=settings.lock_grace_days if settings.lock == "compliance" else None,
                region=region,
                opts=self._child,
            )
        return vault

    def _plan(self, vault: aws.backup.Vault) -> None:
        settings = self._args.settings
        copies = []
        if settings.copy_region is not None:
            elsewhere = self._vault(f"{self._name}-copy", settings.copy_region)
            copies.append(
                aws.backup.PlanRuleCopyActionArgs(
                    destination_vault_arn=elsewhere.arn,
                    lifecycle=aws.backup.PlanRuleCopyActionLifecycleArgs(delete_after=settings.retention_days),
                )
            )
        plan = aws.backup.Plan(
            self._name,
            rules=[
                aws.backup.PlanRuleArgs(
                    rule_name="nightly",
                    target_vault_name=vault.name,
                    schedule=NIGHTLY,
                    start_window=60,
                    completion_window=360,
                    lifecycle=aws.backup.PlanRuleLifecycleArgs(delete_after=settings.retention_days),
                    copy_actions=copies,
                )
            ],
            opts=self._child,
        )
        aws.backup.Selection(
            self._name,
            plan_id=plan.id,
            iam_role_arn=self._args.role.arn,
            resources=list(self._args.resources.values()),
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._args.role.ready),
        )

    def _restore_test(self, vault: aws.backup.Vault) -> None:
        plan = aws.backup.RestoreTestingPlan(
            self._name,
            name=self._args.scope.name.replace("-", "_"),
            schedule_expression=WEEKLY,
            start_window_hours=4,
            recovery_point_selection=aws.backup.RestoreTestingPlanRecoveryPointSelectionArgs(
                algorithm="LATEST_WITHIN_WINDOW",
                include_vaults=[vault.arn],
                recovery_point_types=["SNAPSHOT"],
                selection_window_days=7,
            ),
            opts=self._child,
        )
        for type_, overrides in self._args.restored.items():
            aws.backup.RestoreTestingSelection(
                f"{self._name}-{type_.lower()}",
                name=type_.lower(),
                restore_testing_plan_name=plan.name,
                protected_resource_type=type_,
                protected_resource_arns=[self._args.resources[type_]],
                iam_role_arn=self._args.role.arn,
                restore_metadata_overrides=dict(overrides),
                validation_window_hours=4,
                opts=pulumi.ResourceOptions(parent=self, depends_on=self._args.role.ready),
            )
