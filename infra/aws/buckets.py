"""A private bucket: owned by the account whoever writes, closed to the public, encrypted, with every version kept."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.iam import Statement, deny


@dataclass(frozen=True)
class PrivateBucketArgs:
    """`key` is a KMS key's ARN (S3's own key where none is given); `region` another than the stack's."""

    force_destroy: bool
    protect: bool = False
    key: pulumi.Input[str] | None = None
    region: str | None = None


class PrivateBucket(pulumi.ComponentResource):
    """Outputs: the bucket's name and ARN. Its policy is the owner's, and is expected to `refuse_plain_http`."""

    def __init__(self, name: str, args: PrivateBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:PrivateBucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(
            name,
            force_destroy=args.force_destroy,
            region=args.region,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.id, self.arn = bucket.id, bucket.arn
        self.contents = pulumi.Output.concat(bucket.arn, "/*")
        aws.s3.BucketPublicAccessBlock(
            name,
            bucket=self.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            region=args.region,
            opts=child,
        )
        aws.s3.BucketOwnershipControls(
            name,
            bucket=self.id,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            region=args.region,
            opts=child,
        )
        aws.s3.BucketVersioning(
            name,
            bucket=self.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            region=args.region,
            opts=child,
        )
        default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="AES256" if args.key is None else "aws:kms", kms_master_key_id=args.key
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=self.id,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    bucket_key_enabled=args.key is not None, apply_server_side_encryption_by_default=default
                )
            ],
            region=args.region,
            opts=child,
        )
        self.register_outputs({"id": self.id})

    def refuse_plain_http(self) -> list[Statement]:
        """The statements that refuse requests without TLS, and with TLS older than 1.2, from everyone."""
        resources = [self.arn, self.contents]
        plain = {"Bool": {"aws:SecureTransport": "false"}}
        old = {"NumericLessThan": {"s3:TlsVersion": "1.2"}}
        return [
            deny("PlainHttp", ["s3:*"], resources, Principal="*", Condition=plain),
            deny("OldTls", ["s3:*"], resources, Principal="*", Condition=old),
        ]
