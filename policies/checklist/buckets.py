"""Point 3: buckets that are private, encrypted and reached over TLS only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from policies import tokens
from policies.checklist.artifact_store import ALGORITHM, POINT, S3
from policies.documents import conditions, principals, statements
from policies.model import Resource, Stack
from policies.rule import FILLED, Expect, Found, ResourcePolicy, StackPolicy, inputs, one_of


def each_bucket_has(type_: str, missing: str) -> Callable[[Stack], Iterable[Found]]:
    """A check that every bucket has a resource of `type_`."""

    def validate(stack: Stack) -> Iterable[Found]:
        for bucket in stack.of(tokens.BUCKET):
            if not any(stack.about(bucket, type_, "bucket")):
                yield bucket, missing

    return validate


has_public_access_block = StackPolicy(
    "bucket-has-public-access-block",
    POINT,
    "critical",
    "A bucket can be made public. Add a BucketPublicAccessBlock to it.",
    S3 + "#s3-8",
    each_bucket_has(tokens.BUCKET_PUBLIC_ACCESS_BLOCK, "has no BucketPublicAccessBlock"),
)
blocks_public_access = ResourcePolicy(
    "bucket-blocks-public-access",
    POINT,
    "critical",
    "A public-access block lets something through. Set all four of its settings to true.",
    S3 + "#s3-8",
    (tokens.BUCKET_PUBLIC_ACCESS_BLOCK,),
    inputs(
        {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True, "restrictPublicBuckets": True}
    ),
)
has_encryption = StackPolicy(
    "bucket-has-encryption",
    POINT,
    "high",
    "A bucket states no encryption. Add a BucketServerSideEncryptionConfiguration to it.",
    S3 + "#s3-17",
    each_bucket_has(tokens.BUCKET_ENCRYPTION, "has no BucketServerSideEncryptionConfiguration"),
)
encrypts = ResourcePolicy(
    "bucket-encrypts",
    POINT,
    "high",
    "A bucket's encryption names no algorithm. Set sse_algorithm to aws:kms, or AES256 where KMS cannot be used.",
    S3 + "#s3-17",
    (tokens.BUCKET_ENCRYPTION,),
    inputs({ALGORITHM: one_of("aws:kms", "aws:kms:dsse", "AES256")}),
)
has_ownership = StackPolicy(
    "bucket-has-ownership",
    POINT,
    "medium",
    "A bucket honours access control lists. Add BucketOwnershipControls to it.",
    S3 + "#s3-12",
    each_bucket_has(tokens.BUCKET_OWNERSHIP, "has no BucketOwnershipControls"),
)
owner_enforced = ResourcePolicy(
    "bucket-owner-enforced",
    POINT,
    "medium",
    "A bucket honours access control lists. Set object_ownership='BucketOwnerEnforced'.",
    S3 + "#s3-12",
    (tokens.BUCKET_OWNERSHIP,),
    inputs({"rule.objectOwnership": "BucketOwnerEnforced"}),
)
has_policy = StackPolicy(
    "bucket-has-policy",
    POINT,
    "high",
    "A bucket answers over plain HTTP. Add a BucketPolicy that denies it.",
    S3 + "#s3-5",
    each_bucket_has(tokens.BUCKET_POLICY, "has no BucketPolicy"),
)


def _refuses_plain_http(resource: Resource) -> Iterable[str]:
    found = statements(resource.get("policy"))
    if found is not None and not any(
        each.get("Effect") == "Deny"
        and "*" in principals(each)
        and str(conditions(each).get("aws:SecureTransport")).lower() == "false"
        for each in found
    ):
        yield "no statement denies requests with aws:SecureTransport false"


refuses_plain_http = ResourcePolicy(
    "bucket-refuses-plain-http",
    POINT,
    "high",
    "A bucket answers over plain HTTP. Deny everything when aws:SecureTransport is false.",
    S3 + "#s3-5",
    (tokens.BUCKET_POLICY,),
    _refuses_plain_http,
    deferred="the policy has the bucket's name in it",
)


def _admits_nobody(resource: Resource) -> Iterable[str]:
    for each in statements(resource.get("policy")) or ():
        if each.get("Effect") == "Allow" and "*" in principals(each) and not each.get("Condition"):
            yield f"statement {json.dumps(each.get('Sid', '?'))} admits everybody"


admits_nobody = ResourcePolicy(
    "bucket-admits-nobody",
    POINT,
    "critical",
    "A bucket policy admits everybody. Name principals, or restrict them by a condition.",
    S3 + "#s3-2",
    (tokens.BUCKET_POLICY,),
    _admits_nobody,
    deferred="the policy has the bucket's name in it",
)
kept = ResourcePolicy(
    "bucket-kept",
    POINT,
    "high",
    "`pulumi destroy` would delete the bucket with everything in it. Set force_destroy=False.",
    "https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucket/#force_destroy",
    (tokens.BUCKET,),
    inputs({"forceDestroy": Expect("false", lambda value: value is None or value is False)}),
)
log_target = ResourcePolicy(
    "bucket-log-target",
    POINT,
    "medium",
    "A bucket's access log goes nowhere. Set target_bucket to the bucket of access logs.",
    S3 + "#s3-9",
    (tokens.BUCKET_LOGGING,),
    inputs({"targetBucket": FILLED}),
)


POLICIES = (
    has_public_access_block,
    blocks_public_access,
    has_encryption,
    encrypts,
    has_ownership,
    owner_enforced,
    has_policy,
    refuses_plain_http,
    admits_nobody,
    kept,
    log_target,
)
