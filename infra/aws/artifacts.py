"""The artifact bucket and the only ways to its contents: TLS, through the VPC's endpoint, with a role that may.

Administration of the bucket itself (its policy, its lifecycle) is never tied to the network, so that a wrong endpoint
cannot lock the operator out. Not here: the copy in another region (`replica`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import settings_aws
from infra.aws.access_logs import BUCKET_PREFIX
from infra.aws.buckets import PrivateBucket, PrivateBucketArgs
from infra.aws.iam import Statement, allow, deny, document
from infra.aws.keys import key
from infra.aws.replica import Replica, ReplicaArgs
from infra.aws.scope import Scope

READ_AND_WRITE = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)
INFREQUENT_ACCESS_DAYS = 30  # S3 moves nothing to STANDARD_IA earlier, and bills 30 days of it


@dataclass(frozen=True)
class ArtifactsArgs:
    """`presigned` lets requests signed in advance by the tracking server come from outside the VPC."""

    scope: Scope
    settings: settings_aws.Artifacts
    endpoint: pulumi.Input[str]
    access_logs: pulumi.Input[str]
    presigned: bool
    roles_of_services: Sequence[pulumi.Input[str]] = ()
    """Roles that AWS services use from their own networks: backup."""


class Artifacts(pulumi.ComponentResource):
    """Outputs: the bucket, and the statements that let a role use its contents."""

    def __init__(self, name: str, args: ArtifactsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Artifacts", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._key = key(name, args.scope, "artifacts", self._child)
        self._bucket = PrivateBucket(
            name,
            PrivateBucketArgs(force_destroy=args.scope.ephemeral, protect=args.scope.protect, key=self._key.arn),
            self._child,
        )
        self.bucket, self.arn = self._bucket.id, self._bucket.arn
        self._lifecycle()
        aws.s3.BucketLogging(
            name,
            bucket=self.bucket,
            target_bucket=args.access_logs,
            target_prefix=f"{BUCKET_PREFIX}/",
            opts=self._child,
        )
        aws.s3.BucketMetric(name, bucket=self.bucket, name="EntireBucket", opts=self._child)
        elsewhere: list[pulumi.Input[str]] = [*args.settings.operators, *args.roles_of_services]
        if args.settings.replica_region is not None:
            replica = Replica(
                f"{name}-replica",
                ReplicaArgs(args.scope, args.settings.replica_region, self._bucket, self._key.arn),
                self._child,
            )
            elsewhere.append(replica.role_arn)
        aws.s3.BucketPolicy(
            name,
            bucket=self.bucket,
            policy=document(*self._bucket.refuse_plain_http(), self._refuse_other_networks(elsewhere)),
            opts=self._child,
        )
        self._endpoint_policy()
        self.register_outputs({"bucket": self.bucket})

    def use(self) -> list[Statement]:
        """What a role needs to read, write and delete artifacts, and no more."""
        return [
            allow("List", ["s3:ListBucket", "s3:GetBucketLocation"], [self.arn]),
            allow("Objects", READ_AND_WRITE, [self._bucket.contents]),
            allow("Key", ["kms:Decrypt", "kms:GenerateDataKey"], [self._key.arn]),
        ]

    def _refuse_other_networks(self, elsewhere: Sequence[pulumi.Input[str]]) -> Statement:
        unless: dict[str, Any] = {"aws:SourceVpce": self._args.endpoint}
        if self._args.presigned:
            unless["s3:authType"] = "REST-QUERY-STRING"
        condition: dict[str, Any] = {
            "StringNotEquals": unless,
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"},
        }
        if elsewhere:
            condition["ArnNotEquals"] = {"aws:PrincipalArn": list(elsewhere)}
        return deny(
            "OtherNetworks",
            ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*"],
            [self._bucket.contents],
            Principal="*",
            Condition=condition,
        )

    def _endpoint_policy(self) -> None:
        """Through the VPC's endpoint, this account reaches this bucket, and nodes the layers of ECR's images."""
        scope = self._args.scope
        mine = {"StringEquals": {"aws:PrincipalAccount": scope.account_id}}
        layers = f"arn:aws:s3:::prod-{scope.region}-starport-layer-bucket/*"
        aws.ec2.VpcEndpointPolicy(
            self._name,
            vpc_endpoint_id=self._args.endpoint,
            policy=document(
                allow(
                    "Artifacts",
                    ["s3:ListBucket", "s3:GetBucketLocation", *READ_AND_WRITE],
                    [self.arn, self._bucket.contents],
                    Principal="*",
                    Condition=mine,
                ),
                allow("ImageLayers", ["s3:GetObject"], [layers], Principal="*"),
            ),
            opts=self._child,
        )

    def _lifecycle(self) -> None:
        """Touches no current version: a registered model's files stay as they are until MLflow deletes them."""
        keep = self._args.settings.noncurrent_days
        cooling = [
            aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionTransitionArgs(
                noncurrent_days=INFREQUENT_ACCESS_DAYS, storage_class="STANDARD_IA"
            )
        ]
        rule = aws.s3.BucketLifecycleConfigurationRuleArgs
        everything = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
        aws.s3.BucketLifecycleConfiguration(
            self._name,
            bucket=self.bucket,
            rules=[
                rule(
                    id="unfinished-uploads",
                    status="Enabled",
                    filter=everything,
                    abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                        days_after_initiation=7
                    ),
                ),
                rule(
                    id="deleted-and-overwritten",
                    status="Enabled",
                    filter=everything,
                    noncurrent_version_transitions=cooling if keep >= 2 * INFREQUENT_ACCESS_DAYS else None,
                    noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                        noncurrent_days=keep
                    ),
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
                ),
            ],
            opts=self._child,
        )
