"""KMS keys: one for each kind of data, rotated yearly, usable as the account's own policies say."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.aws.iam import Statement, allow, document
from infra.aws.scope import Scope


def key(
    name: str,
    scope: Scope,
    purpose: str,
    opts: pulumi.ResourceOptions,
    *,
    statements: Sequence[Statement] = (),
    region: str | None = None,
) -> aws.kms.Key:
    """A key for `purpose` in `region` (the stack's by default); `statements` let others than the account use it."""
    account = {"AWS": f"arn:aws:iam::{scope.account_id}:root"}
    return aws.kms.Key(
        name,
        description=f"{scope.name}: {purpose}",
        enable_key_rotation=True,
        deletion_window_in_days=7 if scope.ephemeral else 30,
        policy=document(allow("Account", ["kms:*"], ["*"], Principal=account), *statements),  # here, * is this key
        region=region,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(protect=scope.protect)),
    )


def logs_key(scope: Scope, opts: pulumi.ResourceOptions) -> aws.kms.Key:
    """The key of logs and notifications, which AWS services write on the account's behalf."""
    actions = ["kms:Decrypt", "kms:GenerateDataKey*"]
    notifiers = {"Service": ["cloudwatch.amazonaws.com", "backup.amazonaws.com"]}
    return key(
        "logs",
        scope,
        "logs and notifications",
        opts,
        statements=[
            allow(
                "Logs",
                [*actions, "kms:Encrypt", "kms:ReEncrypt*", "kms:DescribeKey"],
                ["*"],
                Principal={"Service": f"logs.{scope.region}.amazonaws.com"},
                Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": scope.log_groups("")}},
            ),
            allow(
                "Notifiers",
                actions,
                ["*"],
                Principal=notifiers,
                Condition={"StringEquals": {"aws:SourceAccount": scope.account_id}},
            ),
        ],
    )
