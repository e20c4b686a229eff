"""What stands inside the cluster before any workload: the nodes it may start, and the enforcement of NetworkPolicies.

Auto Mode's built-in node pools are off: they could not be held to a family, a size or a number of CPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import settings_aws

POOL = "platform"


@dataclass(frozen=True)
class ClusterBasicsArgs:
    cluster_name: pulumi.Input[str]
    settings: settings_aws.Nodes
    node_role: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    security_group: pulumi.Input[str]


class ClusterBasics(pulumi.ComponentResource):
    """A workload depends on it as a whole; `opts` carries the AWS and the cluster's Kubernetes provider."""

    def __init__(self, name: str, args: ClusterBasicsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:ClusterBasics", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kubernetes.core.v1.ConfigMap(
            f"{name}-network-policy",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name="amazon-vpc-cni", namespace="kube-system"),
            data={"enable-network-policy-controller": "true"},
            opts=child,
        )
        node_class = kubernetes.apiextensions.CustomResource(
            f"{name}-node-class",
            api_version="eks.amazonaws.com/v1",
            kind="NodeClass",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=POOL),
            spec={
                "role": args.node_role,
                "subnetSelectorTerms": [{"id": subnet} for subnet in args.subnets],
                "securityGroupSelectorTerms": [{"id": args.security_group}],
                "networkPolicy": "DefaultAllow",
                "networkPolicyEventLogs": "Enabled",
                "ephemeralStorage": {"size": "40Gi"},
            },
            opts=child,
        )
        pool = kubernetes.apiextensions.CustomResource(
            f"{name}-node-pool",
            api_version="karpenter.sh/v1",
            kind="NodePool",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=POOL),
            spec=_node_pool(args.settings),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[node_class]),
        )
        aws.eks.Addon(  # a HorizontalPodAutoscaler reads it; Auto Mode does not bring it
            f"{name}-metrics-server",
            cluster_name=args.cluster_name,
            addon_name="metrics-server",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[pool]),
        )
        self.register_outputs({})


def _node_pool(nodes: settings_aws.Nodes) -> dict[str, Any]:
    requirements = {
        "kubernetes.io/arch": [nodes.architecture],
        "karpenter.sh/capacity-type": [nodes.capacity],
        "eks.amazonaws.com/instance-family": list(nodes.families),
        "eks.amazonaws.com/instance-size": [nodes.size],
    }
    return {
        "template": {
            "spec": {
                "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": POOL},
                "requirements": [
                    {"key": key, "operator": "In", "values": values} for key, values in requirements.items()
                ],
                "expireAfter": "336h",
            }
        },
        "limits": {"cpu": str(nodes.maximum_cpu)},
        "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "5m"},
    }
