"""Point 3: artifacts in an object store that is private, encrypted and reached over TLS only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from policies import tokens
from policies.documents import conditions, principals, statements
from policies.model import UNKNOWN, Resource, Stack
from policies.rule import FILLED, Expect, Found, ResourcePolicy, StackPolicy, inputs, one_of, shown
from policies.workloads import containers, servers

POINT = "artifact-store"
S3 = "https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html"
MLFLOW = "https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/"
DESTINATION = "MLFLOW_ARTIFACTS_DESTINATION"


def artifact_buckets(stack: Stack) -> list[Resource]:
    """The buckets that tracking servers store artifacts in."""
    return list(
        {
            bucket.urn: bucket
            for server in servers(stack)
            for input_ in server.resource.links
            for bucket in stack.linked(server.resource, input_, tokens.BUCKET)
        }.values()
    )


def _object_store(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        if container.is_server:
            destination = container.env.get(DESTINATION)
            if destination is not UNKNOWN and not str(destination or "").startswith("s3://"):
                yield f"{DESTINATION} of {container.name!r} is {shown(destination)}; expected s3://BUCKET/PREFIX"


object_store = ResourcePolicy(
    "artifacts-in-object-store",
    POINT,
    "critical",
    "Artifacts are kept on the tracking server's disk. Give MLFLOW_ARTIFACTS_DESTINATION an s3:// URI.",
    MLFLOW,
    tokens.WORKLOADS,
    _object_store,
)


def _connected(stack: Stack) -> Iterable[Found]:
    buckets = bool(artifact_buckets(stack))
    for container in servers(stack):
        if container.env.get(DESTINATION) is UNKNOWN and not buckets:
            yield container.resource, "its artifact store is not known yet and comes from no bucket of the stack"


connected = StackPolicy(
    "artifacts-connected",
    POINT,
    "high",
    "A tracking server's artifact store comes from no bucket of the stack. Use the bucket's output.",
    MLFLOW,
    _connected,
)


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
ALGORITHM = "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm"
encrypts = ResourcePolicy(
    "bucket-encrypts",
    POINT,
    "high",
    "A bucket's encryption names no algorithm. Set sse_algorithm to aws:kms, or AES256 where KMS cannot be used.",
    S3 + "#s3-17",
    (tokens.BUCKET_ENCRYPTION,),
    inputs({ALGORITHM: one_of("aws:kms", "aws:kms:dsse", "AES256")}),
)


def _own_key(stack: Stack) -> Iterable[Found]:
    for bucket in artifact_buckets(stack):
        for encryption in stack.about(bucket, tokens.BUCKET_ENCRYPTION, "bucket"):
            if encryption.get(ALGORITHM) != "aws:kms" or not stack.linked(encryption, "rules", tokens.KMS_KEY):
                yield encryption, "artifacts are not encrypted with a KMS key of the stack"
            if encryption.get("rules.0.bucketKeyEnabled") is not True:
                yield encryption, "bucket_key_enabled is not true, so every request is a paid request to KMS"


own_key = StackPolicy(
    "artifacts-own-key",
    POINT,
    "medium",
    "Artifacts are not encrypted with a key of the platform. "
    "Set sse_algorithm='aws:kms', kms_master_key_id and a bucket key.",
    S3 + "#s3-17",
    _own_key,
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


def _logged(stack: Stack) -> Iterable[Found]:
    for bucket in artifact_buckets(stack):
        if not any(stack.about(bucket, tokens.BUCKET_LOGGING, "bucket")):
            yield bucket, "nobody can tell who read an artifact: it has no BucketLogging"


logged = StackPolicy(
    "artifacts-access-logged",
    POINT,
    "medium",
    "Accesses to artifacts leave no trace. Add a BucketLogging to the bucket.",
    S3 + "#s3-9",
    _logged,
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
    object_store,
    connected,
    has_public_access_block,
    blocks_public_access,
    has_encryption,
    encrypts,
    own_key,
    has_ownership,
    owner_enforced,
    has_policy,
    refuses_plain_http,
    admits_nobody,
    kept,
    logged,
    log_target,
)
