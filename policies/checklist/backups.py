"""Point 10: the database and the artifacts are backed up, elsewhere too, and restoring is tested."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.checklist.artifact_store import artifact_buckets
from policies.model import Resource, Stack, items
from policies.rule import FILLED, Expect, Found, ResourcePolicy, StackPolicy, includes, inputs, shown

POINT = "backups"
BACKUP = "https://docs.aws.amazon.com/aws-backup/latest/devguide"
RDS = "https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html"


def _retention(stack: Stack) -> Iterable[Found]:
    least = int(stack.parameters.get("backup_days", 1))
    for instance in stack.of(tokens.RDS_INSTANCE):
        days = instance.get("backupRetentionPeriod")
        if not isinstance(days, int | float) or days < least:
            yield instance, f"backupRetentionPeriod is {shown(days)}; expected at least {least} days"


retention = StackPolicy(
    "database-backups-kept",
    POINT,
    "high",
    "The database cannot be brought back to an earlier moment. Set aws.database.backup_retention_days.",
    RDS + "#rds-11",
    _retention,
)
final_snapshot = ResourcePolicy(
    "database-final-snapshot",
    POINT,
    "high",
    "Deleting the database deletes its data. Set aws.database.final_snapshot: true.",
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html",
    (tokens.RDS_INSTANCE,),
    inputs({"skipFinalSnapshot": False, "finalSnapshotIdentifier": FILLED}),
)
automated_kept = ResourcePolicy(
    "database-automated-backups-kept",
    POINT,
    "medium",
    "Deleting the database deletes its automated backups. Set delete_automated_backups=False.",
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html",
    (tokens.RDS_INSTANCE,),
    inputs({"deleteAutomatedBackups": False, "copyTagsToSnapshot": True}),
)


def _covered(stack: Stack) -> Iterable[Found]:
    selected = {urn for each in stack.of(tokens.BACKUP_SELECTION) for urn in each.links.get("resources", ())}
    for subject in (*stack.of(tokens.RDS_INSTANCE), *artifact_buckets(stack)):
        if subject.urn not in selected:
            yield subject, "is in no backup selection; add it to the resources of backup.Selection"


covered = StackPolicy(
    "backup-covers-state",
    POINT,
    "high",
    "What the platform must not lose is not backed up. "
    "Add the database and the artifact bucket to the backup selection.",
    f"{BACKUP}/assigning-resources.html",
    _covered,
)


def _plan(resource: Resource) -> Iterable[str]:
    rules = items(resource.every("rules"))
    if not rules:
        yield "has no rules"
    for rule in rules:
        days = (rule.get("lifecycle") or {}).get("deleteAfter")
        if not isinstance(days, int | float) or days < 7:
            yield f"rule {rule.get('ruleName')!r} keeps backups {shown(days)} days; expected at least 7"
        if not str(rule.get("schedule", "")).startswith("cron("):
            yield f"rule {rule.get('ruleName')!r} has no schedule"


plan = ResourcePolicy(
    "backup-plan-regular",
    POINT,
    "high",
    "The backup plan runs at no time or keeps too little. Give each rule a schedule and at least 7 days.",
    f"{BACKUP}/creating-a-backup-plan.html",
    (tokens.BACKUP_PLAN,),
    _plan,
)


def _elsewhere(resource: Resource) -> Iterable[str]:
    for rule in items(resource.every("rules")):
        if not rule.get("copyActions"):
            yield f"rule {rule.get('ruleName')!r} copies nothing elsewhere; set aws.backups.copy_region"


elsewhere = ResourcePolicy(
    "backup-copied-elsewhere",
    POINT,
    "medium",
    "Backups are lost with their region. Set aws.backups.copy_region.",
    f"{BACKUP}/cross-region-backup.html",
    (tokens.BACKUP_PLAN,),
    _elsewhere,
)


def _locked(stack: Stack) -> Iterable[Found]:
    for vault in stack.of(tokens.BACKUP_VAULT):
        if not any(stack.about(vault, tokens.BACKUP_VAULT_LOCK, "backupVaultName")):
            yield vault, "has no VaultLockConfiguration; set aws.backups.lock"


locked = StackPolicy(
    "backup-vault-locked",
    POINT,
    "high",
    "Whoever gets into the account can delete the backups. Lock the vault (aws.backups.lock: compliance).",
    f"{BACKUP}/vault-lock.html",
    _locked,
)
vault = ResourcePolicy(
    "backup-vault-safe",
    POINT,
    "high",
    "A backup vault is not encrypted with a key of the stack, or is emptied by `pulumi destroy`. Set kms_key_arn.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/backup-controls.html#backup-1",
    (tokens.BACKUP_VAULT,),
    inputs({"kmsKeyArn": FILLED, "forceDestroy": Expect("false", lambda value: value is None or value is False)}),
)


def _restore_tested(stack: Stack) -> Iterable[Found]:
    selections = stack.of(tokens.RESTORE_TEST_SELECTION)
    plans = stack.of(tokens.RESTORE_TEST_PLAN)
    for instance in stack.of(tokens.RDS_INSTANCE):
        if not plans or not any(instance.urn in each.links.get("protectedResourceArns", ()) for each in selections):
            yield instance, "no RestoreTestingSelection restores it; set aws.backups.restore_test: true"
    for each in plans:
        if not str(each.get("scheduleExpression") or "").startswith("cron("):
            yield each, "has no schedule"


restore_tested = StackPolicy(
    "restore-tested",
    POINT,
    "high",
    "Nobody knows whether the backups restore. Set aws.backups.restore_test: true.",
    f"{BACKUP}/restore-testing.html",
    _restore_tested,
)
failures_told = ResourcePolicy(
    "backup-failures-told",
    POINT,
    "medium",
    "A failed backup is noticed when it is needed. Notify BACKUP_JOB_FAILED to the platform's topic.",
    f"{BACKUP}/backup-notifications.html",
    (tokens.BACKUP_VAULT_NOTIFICATIONS,),
    inputs({"backupVaultEvents": includes("BACKUP_JOB_FAILED"), "snsTopicArn": FILLED}),
)

POLICIES = (
    retention,
    final_snapshot,
    automated_kept,
    covered,
    plan,
    elsewhere,
    locked,
    vault,
    restore_tested,
    failures_told,
)
