"""Point 3: artifacts in an object store of the stack."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.model import UNKNOWN, Resource, Stack
from policies.rule import Found, ResourcePolicy, StackPolicy, shown
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
ALGORITHM = "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm"


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


POLICIES = (
    object_store,
    connected,
    own_key,
    logged,
)
