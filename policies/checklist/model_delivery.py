"""Point 11: what is deployed can be repeated and traced, and CI needs no keys."""

from __future__ import annotations

import re
from collections.abc import Iterable

from policies import tokens
from policies.checklist.authentication import IDENTITY_FILES, NOT_YET
from policies.model import UNKNOWN, Resource, items
from policies.rule import ResourcePolicy, inputs, shown
from policies.workloads import containers, identity_settings

POINT = "model-delivery"
ECR = "https://docs.aws.amazon.com/securityhub/latest/userguide/ecr-controls.html"
MOVING = frozenset({"latest", "main", "master", "stable", "edge", "nightly", "dev"})


def _pinned(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        image = container.image
        if container.raw is None or image is UNKNOWN:
            continue
        if "@sha256:" in str(image):
            continue
        tag = str(image).rpartition("/")[2].partition(":")[2]
        if not tag or tag in MOVING:
            yield f"image of {container.name!r} is {shown(image)}; expected a version or a digest"


pinned = ResourcePolicy(
    "images-pinned",
    POINT,
    "high",
    "What runs changes without a deployment. Name the image's version or digest in aws.images.",
    "https://docs.aws.amazon.com/eks/latest/best-practices/image-security.html",
    tokens.POD_OWNERS,
    _pinned,
)
immutable = ResourcePolicy(
    "image-tags-immutable",
    POINT,
    "high",
    "A version can be pushed again with other content. Set image_tag_mutability='IMMUTABLE'.",
    ECR + "#ecr-2",
    (tokens.IMAGE_REPOSITORY,),
    inputs({"imageTagMutability": "IMMUTABLE"}),
)
scanned = ResourcePolicy(
    "images-scanned",
    POINT,
    "medium",
    "Images with known vulnerabilities go unnoticed. Set image_scanning_configuration.scan_on_push=True.",
    ECR + "#ecr-1",
    (tokens.IMAGE_REPOSITORY,),
    inputs({"imageScanningConfiguration.scanOnPush": True}),
)
images_encrypted = ResourcePolicy(
    "images-encrypted",
    POINT,
    "low",
    "Images are not encrypted with a key of the stack. Set encryption_configurations to KMS.",
    ECR + "#ecr-5",
    (tokens.IMAGE_REPOSITORY,),
    inputs({"encryptionConfigurations.0.encryptionType": "KMS"}),
)


def _without_gap(resource: Resource) -> Iterable[str]:
    if resource.get("spec.strategy.type") != "RollingUpdate":
        yield f"spec.strategy.type is {shown(resource.get('spec.strategy.type'))}; expected RollingUpdate"
    if resource.get("spec.strategy.rollingUpdate.maxUnavailable") not in (0, "0", "0%"):
        yield "spec.strategy.rollingUpdate.maxUnavailable must be 0"


without_gap = ResourcePolicy(
    "rollout-without-gap",
    POINT,
    "medium",
    "A deployment stops the old pods before the new ones are ready. Use RollingUpdate with maxUnavailable: 0.",
    "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment",
    (tokens.DEPLOYMENT,),
    _without_gap,
)


def _no_cloud_keys(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            if container.raw is not None and name in container.env:
                yield f"{container.name!r} has {name}; associate its service account with a role instead"


no_cloud_keys = ResourcePolicy(
    "no-static-cloud-keys",
    POINT,
    "critical",
    "A pod signs in to AWS with keys that never expire. Use a PodIdentityAssociation.",
    "https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html",
    tokens.POD_OWNERS,
    _no_cloud_keys,
)


def _ci_told_apart(resource: Resource) -> Iterable[str]:
    for issuer in items((identity_settings(resource) or {}).get("issuers", ())):
        if "token.actions.githubusercontent.com" in str(issuer.get("url")):
            if not issuer.get("group_prefix") or not issuer.get("username_prefix"):
                yield "names of GitHub Actions could be taken for people's; set group_prefix and username_prefix"
            if issuer.get("groups_claim") not in ("repository", "sub", "job_workflow_ref"):
                yield f"groups_claim of GitHub Actions is {shown(issuer.get('groups_claim'))}; expected repository"


ci_told_apart = ResourcePolicy(
    "ci-told-apart",
    POINT,
    "high",
    "Any repository's workflow may act as a person or a team. Prefix the names of CI's issuer and group by repository.",
    "https://docs.github.com/en/actions/reference/security/oidc",
    IDENTITY_FILES,
    _ci_told_apart,
    deferred=NOT_YET,
)

VERSIONED = re.compile(r"[a-z0-9][a-z0-9._-]{3,}", re.IGNORECASE)


def _release_named(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        if container.command[:1] == ("mlops",) and not VERSIONED.fullmatch(str(container.env.get("MLOPS_RELEASE", ""))):
            yield f"MLOPS_RELEASE of {container.name!r} is not set, so new code would not restart it"


release_named = ResourcePolicy(
    "local-release-named",
    POINT,
    "low",
    "A local process does not say which code it runs. Set MLOPS_RELEASE to a digest of the code.",
    "https://12factor.net/build-release-run",
    (tokens.LOCAL_PROCESS, tokens.LOCAL_TASK),
    _release_named,
)

POLICIES = (
    pinned,
    immutable,
    scanned,
    images_encrypted,
    without_gap,
    no_cloud_keys,
    ci_told_apart,
    release_named,
)
