"""Point 8: nothing is kept for ever by accident, and nothing is lost by one."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.checklist.artifact_store import artifact_buckets
from policies.checklist.buckets import each_bucket_has
from policies.model import UNKNOWN, Resource, Stack, items
from policies.rule import Found, ResourcePolicy, StackPolicy, at_least, inputs

POINT = "artifact-lifecycle"
S3 = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"


has_lifecycle = StackPolicy(
    "bucket-has-lifecycle",
    POINT,
    "medium",
    "A bucket grows for ever. Add a BucketLifecycleConfiguration to it.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html#s3-13",
    each_bucket_has(tokens.BUCKET_LIFECYCLE, "has no BucketLifecycleConfiguration"),
)


def _aborts_uploads(resource: Resource) -> Iterable[str]:
    if not any(
        rule.get("status") == "Enabled"
        and (rule.get("abortIncompleteMultipartUpload") or {}).get("daysAfterInitiation")
        for rule in items(resource.every("rules"))
    ):
        yield "no enabled rule has abortIncompleteMultipartUpload"


aborts_uploads = ResourcePolicy(
    "lifecycle-aborts-uploads",
    POINT,
    "low",
    "Unfinished uploads are kept and paid for. Add abort_incomplete_multipart_upload to a lifecycle rule.",
    f"{S3}/mpu-abort-incomplete-mpu-lifecycle-config.html",
    (tokens.BUCKET_LIFECYCLE,),
    _aborts_uploads,
)


def _expires_noncurrent(resource: Resource) -> Iterable[str]:
    if not any(
        rule.get("status") == "Enabled" and (rule.get("noncurrentVersionExpiration") or {}).get("noncurrentDays")
        for rule in items(resource.every("rules"))
    ):
        yield "no enabled rule has noncurrentVersionExpiration"


expires_noncurrent = ResourcePolicy(
    "lifecycle-expires-noncurrent",
    POINT,
    "low",
    "Overwritten and deleted versions are kept and paid for. Add noncurrent_version_expiration to a lifecycle rule.",
    f"{S3}/lifecycle-configuration-examples.html",
    (tokens.BUCKET_LIFECYCLE,),
    _expires_noncurrent,
)


def _keeps_current(stack: Stack) -> Iterable[Found]:
    for bucket in artifact_buckets(stack):
        for lifecycle in stack.about(bucket, tokens.BUCKET_LIFECYCLE, "bucket"):
            for rule in items(lifecycle.every("rules")):
                expiration = rule.get("expiration") or {}
                if expiration.get("days") or expiration.get("date"):
                    yield lifecycle, f"rule {rule.get('id')!r} deletes current objects, registered models among them"
                if rule.get("transitions"):
                    yield lifecycle, f"rule {rule.get('id')!r} moves current objects where they are slow to load"


keeps_current = StackPolicy(
    "lifecycle-keeps-current",
    POINT,
    "critical",
    "A lifecycle rule deletes or freezes artifacts that are in use. Expire noncurrent versions only.",
    f"{S3}/intro-lifecycle-rules.html",
    _keeps_current,
)
has_versioning = StackPolicy(
    "bucket-has-versioning",
    POINT,
    "high",
    "What is overwritten or deleted in a bucket is gone. Add a BucketVersioning to it.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html#s3-14",
    each_bucket_has(tokens.BUCKET_VERSIONING, "has no BucketVersioning"),
)
versioned = ResourcePolicy(
    "bucket-versioned",
    POINT,
    "high",
    "What is overwritten or deleted in a bucket is gone. Set status='Enabled'.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html#s3-14",
    (tokens.BUCKET_VERSIONING,),
    inputs({"versioningConfiguration.status": "Enabled"}),
)


def _images_expire(stack: Stack) -> Iterable[Found]:
    for repository in stack.of(tokens.IMAGE_REPOSITORY):
        name = repository.get("name")
        if not any(
            repository.urn in each.links.get("repository", ())
            or (each.get("repository") not in (None, UNKNOWN) and each.get("repository") == name)
            for each in stack.of(tokens.IMAGE_LIFECYCLE)
        ):
            yield repository, "has no LifecyclePolicy, so every image is kept"


images_expire = StackPolicy(
    "images-expire",
    POINT,
    "low",
    "Every image ever pushed is kept. Add an ecr.LifecyclePolicy to the repository.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/ecr-controls.html#ecr-3",
    _images_expire,
)
logs_expire = ResourcePolicy(
    "logs-expire",
    POINT,
    "low",
    "A log group keeps its events for ever. Set retention_in_days.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/cloudwatch-controls.html#cloudwatch-16",
    (tokens.LOG_GROUP,),
    inputs({"retentionInDays": at_least(1)}),
)

POLICIES = (
    has_lifecycle,
    aborts_uploads,
    expires_noncurrent,
    keeps_current,
    has_versioning,
    versioned,
    images_expire,
    logs_expire,
)
