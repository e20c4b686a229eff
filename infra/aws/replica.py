"""A copy of every artifact in another region, made by S3 itself. It follows writes, not deletions."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.buckets import PrivateBucket, PrivateBucketArgs
from infra.aws.iam import allow, document, service_role
from infra.aws.keys import key
from infra.aws.scope import Scope


@dataclass(frozen=True)
class ReplicaArgs:
    scope: Scope
    region: str
    source: PrivateBucket
    source_key: pulumi.Input[str]


class Replica(pulumi.ComponentResource):
    """Output: the role that S3 copies with."""

    def __init__(self, name: str, args: ReplicaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Replica", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        target_key = key(name, args.scope, "the copy of the artifacts", child, region=args.region)
        target = PrivateBucket(
            name,
            PrivateBucketArgs(
                force_destroy=args.scope.ephemeral,
                protect=args.scope.protect,
                key=target_key.arn,
                region=args.region,
            ),
            child,
        )
        aws.s3.BucketPolicy(
            name, bucket=target.id, policy=document(*target.refuse_plain_http()), region=args.region, opts=child
        )
        role = service_role(
            name,
            "s3.amazonaws.com",
            child,
            statements=[
                allow("Source", ["s3:GetReplicationConfiguration", "s3:ListBucket"], [args.source.arn]),
                allow(
                    "Read",
                    ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
                    [args.source.contents],
                ),
                allow("Write", ["s3:ReplicateObject", "s3:ReplicateTags"], [target.contents]),
                allow("Decrypt", ["kms:Decrypt"], [args.source_key]),
                allow("Encrypt", ["kms:Encrypt", "kms:GenerateDataKey"], [target_key.arn]),
            ],
        )
        self.role_arn = role.arn
        replication = aws.s3.BucketReplicationConfigRuleArgs(
            id="everything",
            status="Enabled",
            priority=0,
            filter=aws.s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
            delete_marker_replication=aws.s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(status="Disabled"),
            source_selection_criteria=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
                sse_kms_encrypted_objects=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(
                    status="Enabled"
                )
            ),
            destination=aws.s3.BucketReplicationConfigRuleDestinationArgs(
                bucket=target.arn,
                storage_class="STANDARD_IA",
                encryption_configuration=aws.s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
                    replica_kms_key_id=target_key.arn
                ),
            ),
        )
        aws.s3.BucketReplicationConfig(
            name,
            bucket=args.source.id,
            role=role.arn,
            rules=[replication],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.source, target, *role.ready]),
        )
        self.register_outputs({"role_arn": self.role_arn})
