"""What EKS best practices ask of the cluster."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.checklist.foundation import HUB, POINT
from policies.model import Resource
from policies.rule import FILLED, ResourcePolicy, inputs

EKS = "https://docs.aws.amazon.com/eks/latest/best-practices"


def _cluster_endpoint(resource: Resource) -> Iterable[str]:
    if resource.get("vpcConfig.endpointPrivateAccess") is not True:
        yield "vpcConfig.endpointPrivateAccess is not true"
    public = resource.get("vpcConfig.endpointPublicAccess")
    cidrs = resource.every("vpcConfig.publicAccessCidrs")
    if public is not False and (not cidrs or "0.0.0.0/0" in cidrs):
        yield (
            f"the API is open to {', '.join(map(str, cidrs)) or 'the whole internet'}; "
            "set aws.cluster.public_access_cidrs"
        )


cluster_endpoint = ResourcePolicy(
    "cluster-endpoint-private",
    POINT,
    "critical",
    "The Kubernetes API is open to the internet. Keep it private or name the networks.",
    f"{HUB}/eks-controls.html#eks-1",
    (tokens.EKS_CLUSTER,),
    _cluster_endpoint,
)
cluster_secrets = ResourcePolicy(
    "cluster-secrets-encrypted",
    POINT,
    "high",
    "Kubernetes Secrets are not encrypted with a key of the stack. Set encryption_config for `secrets`.",
    f"{HUB}/eks-controls.html#eks-3",
    (tokens.EKS_CLUSTER,),
    inputs({"encryptionConfig.resources.0": "secrets", "encryptionConfig.provider.keyArn": FILLED}),
)
cluster_access = ResourcePolicy(
    "cluster-access-entries",
    POINT,
    "medium",
    "Who may administer the cluster is kept in a ConfigMap, or is whoever made it. Use access entries only.",
    f"{EKS}/identity-and-access-management.html",
    (tokens.EKS_CLUSTER,),
    inputs({"accessConfig.authenticationMode": "API", "accessConfig.bootstrapClusterCreatorAdminPermissions": False}),
)


cluster_protected = ResourcePolicy(
    "cluster-deletion-protected",
    POINT,
    "high",
    "The cluster can be deleted by one mistaken command. Set deletion_protection=True.",
    "https://docs.aws.amazon.com/eks/latest/userguide/deletion-protection.html",
    (tokens.EKS_CLUSTER,),
    inputs({"deletionProtection": True}),
)


POLICIES = (
    cluster_endpoint,
    cluster_secrets,
    cluster_access,
    cluster_protected,
)
