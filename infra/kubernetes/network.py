"""Who may talk to whom: nobody by default, and then what each workload is for.

The node's own kubelet reaches every pod on it whatever a policy says, which is how probes get through
(https://kubernetes.io/docs/concepts/services-networking/network-policies/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from infra.kubernetes import labels
from infra.kubernetes.args import Destination, KubernetesRuntimeArgs, Reach
from infra.workloads.spec import Container, Text

DNS_PORT = 53
NAMESPACE_NAME = "kubernetes.io/metadata.name"


def nothing() -> NetworkPolicySpecArgs:
    """Refuses every connection from and to every pod that no other policy allows."""
    return NetworkPolicySpecArgs(pod_selector=LabelSelectorArgs(), policy_types=["Ingress", "Egress"])


def policy(
    name: str, containers: Sequence[Container], reaches: Iterable[Reach], args: KubernetesRuntimeArgs
) -> NetworkPolicySpecArgs:
    """Allows callers to the front port, the monitoring to the management ports, and the pods to what they reach.

    Raises:
        ValueError: `reaches` names something that `args.destinations` does not lead to.
    """
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels={labels.NAME: name}),
        policy_types=["Ingress", "Egress"],
        ingress=_ingress(name, containers, args) or None,
        egress=[_dns(args), *(_egress(to) for reach in sorted(reaches) for to in _destinations(name, reach, args))],
    )


def _ingress(
    name: str, containers: Sequence[Container], args: KubernetesRuntimeArgs
) -> list[NetworkPolicyIngressRuleArgs]:
    callers = [_namespaces(labels.ACCESS, "true")]
    if name in args.hosts:
        callers += _blocks(args.load_balancer_cidrs)
    monitoring = [_namespaces(NAMESPACE_NAME, args.monitoring_namespace)]
    fronts = [container.port for container in containers if container.exposed and container.port is not None]
    management = [container.management_port for container in containers if container.management_port is not None]
    return [
        NetworkPolicyIngressRuleArgs(from_=callers, ports=[_tcp(port) for port in ports])
        for callers, ports in ((callers, fronts), (monitoring, management))
        if ports
    ]


def _destinations(name: str, reach: Reach, args: KubernetesRuntimeArgs) -> Sequence[Destination]:
    if reach not in args.destinations:
        raise ValueError(f"{name} reaches {reach!r}, but the cluster's destinations are {sorted(args.destinations)}")
    return args.destinations[reach]


def _egress(destination: Destination) -> NetworkPolicyEgressRuleArgs:
    return NetworkPolicyEgressRuleArgs(to=_blocks(destination.cidrs), ports=[_tcp(destination.port)])


def _dns(args: KubernetesRuntimeArgs) -> NetworkPolicyEgressRuleArgs:
    return NetworkPolicyEgressRuleArgs(
        to=[_namespaces(NAMESPACE_NAME, "kube-system"), *_blocks(args.dns_cidrs)],
        ports=[NetworkPolicyPortArgs(port=DNS_PORT, protocol=protocol) for protocol in ("UDP", "TCP")],
    )


def _namespaces(label: str, value: str) -> NetworkPolicyPeerArgs:
    return NetworkPolicyPeerArgs(namespace_selector=LabelSelectorArgs(match_labels={label: value}))


def _blocks(cidrs: Sequence[Text]) -> list[NetworkPolicyPeerArgs]:
    return [NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=cidr)) for cidr in cidrs]


def _tcp(port: int) -> NetworkPolicyPortArgs:
    return NetworkPolicyPortArgs(port=port, protocol="TCP")
