"""What a Kubernetes cluster's owner tells the runtime: images, the way in, and the ways out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from infra.workloads.spec import Text

Reach = Literal["database", "artifacts", "identity", "tracking"]


@dataclass(frozen=True)
class Destination:
    """Addresses (CIDRs) and the one TCP port on which connections to them are allowed."""

    cidrs: Sequence[Text]
    port: int


@dataclass(frozen=True)
class KubernetesRuntimeArgs:
    """All that differs between clusters.

    `images` maps an image of the platform (`tracking`, `serving`, `jobs`, `oauth2-proxy`) to its full reference,
    pinned by tag or digest. `destinations` says where each name of a workload's `reaches` leads, including what is
    needed on the way (the Pod Identity agent, say); `dns_cidrs` are resolvers beside the DNS pods of kube-system, such
    as EKS Auto Mode's on the node.
    """

    images: Mapping[str, Text]
    destinations: Mapping[Reach, Sequence[Destination]]
    dns_cidrs: Sequence[Text] = ()

    ingress_class: str = ""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """The public host of each workload that has one; it gets an Ingress and https."""
    ingress_annotations: Mapping[str, Text] = field(default_factory=dict)
    health_annotation: str | None = None
    """The Ingress annotation that tells the load balancer the path of a workload's readiness probe."""
    load_balancer_cidrs: Sequence[Text] = ()
    """Where the load balancers connect from, when they address pods directly."""
    publish: Callable[[str, pulumi.Output[str]], object] | None = None
    """Called with each host and the DNS name of its load balancer, to make the one resolve to the other."""

    monitoring_namespace: str = "monitoring"
    """The namespace whose pods may scrape management ports."""
