"""The bucket that receives the access logs of the artifact bucket and of the load balancer.

S3's own key encrypts it: neither kind of log can be delivered under a customer's KMS key (a documented limit of both).
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.buckets import PrivateBucket, PrivateBucketArgs
from infra.aws.iam import allow, document
from infra.aws.scope import Scope

BUCKET_PREFIX, LOAD_BALANCER_PREFIX = "bucket", "load-balancer"


@dataclass(frozen=True)
class AccessLogsArgs:
    scope: Scope
    days: int = 90


class AccessLogs(pulumi.ComponentResource):
    """Output: the bucket, ready to be written to."""

    def __init__(self, name: str, args: AccessLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:AccessLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = PrivateBucket(name, PrivateBucketArgs(force_destroy=args.scope.ephemeral), child)
        account = args.scope.account_id
        deliveries = [
            allow(
                "Buckets",
                ["s3:PutObject"],
                [pulumi.Output.concat(bucket.arn, f"/{BUCKET_PREFIX}/*")],
                Principal={"Service": "logging.s3.amazonaws.com"},
                Condition={"StringEquals": {"aws:SourceAccount": account}},
            ),
            allow(
                "LoadBalancers",
                ["s3:PutObject"],
                [pulumi.Output.concat(bucket.arn, f"/{LOAD_BALANCER_PREFIX}/AWSLogs/{account}/*")],
                Principal={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            ),
        ]
        policy = aws.s3.BucketPolicy(
            name, bucket=bucket.id, policy=document(*deliveries, *bucket.refuse_plain_http()), opts=child
        )
        aws.s3.BucketLifecycleConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="expire",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=args.days),
                    noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                        noncurrent_days=1
                    ),
                    abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                        days_after_initiation=7
                    ),
                )
            ],
            opts=child,
        )
        self.bucket = pulumi.Output.all(bucket.id, policy.id).apply(lambda ids: str(ids[0]))
        self.register_outputs({"bucket": self.bucket})
