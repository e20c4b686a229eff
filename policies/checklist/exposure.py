"""Point 4: what the network lets through, and how: Services, Ingresses, NetworkPolicies."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from policies import tokens
from policies.checklist.authentication import POINT
from policies.model import Resource, Stack, items
from policies.rule import Found, ResourcePolicy, StackPolicy, shown
from policies.workloads import (
    containers,
    is_platform,
    pod_labels,
    selects,
    servers,
)

KUBERNETES = "https://kubernetes.io/docs/concepts/services-networking"


def _service_reaches_proxy(stack: Stack) -> Iterable[Found]:
    for server in servers(stack):
        if server.raw is None:
            continue
        labels = pod_labels(server.resource)
        allowed: set[Any] = set()
        for container in containers(server.resource):
            if container.is_proxy:
                ports = items((container.raw or {}).get("ports") or ())
                allowed |= {port.get("name") for port in ports} | {port.get("containerPort") for port in ports}
        chosen = [each for each in stack.of(tokens.SERVICE) if selects(each.get("spec.selector"), labels)]
        if not chosen:
            yield server.resource, "no Service selects the tracking server"
        for service in chosen:
            for port in items(service.every("spec.ports")):
                target = port.get("targetPort", port.get("port"))
                if target not in allowed:
                    yield (
                        service,
                        f"targetPort {shown(target)} is not a port of the proxy; expected one of {_list(allowed)}",
                    )


service_reaches_proxy = StackPolicy(
    "service-reaches-proxy-only",
    POINT,
    "critical",
    "A Service leads past the proxy to the tracking server. Let its targetPort be the proxy's port.",
    f"{KUBERNETES}/service/",
    _service_reaches_proxy,
)

service_internal = ResourcePolicy(
    "service-internal",
    POINT,
    "high",
    "A Service opens a port on every node or a load balancer of its own. Set type: ClusterIP and use the Ingress.",
    f"{KUBERNETES}/service/#publishing-services-service-types",
    (tokens.SERVICE,),
    lambda service: (
        []
        if service.get("spec.type") in (None, "ClusterIP") and not service.get("spec.externalIPs")
        else [f"spec.type is {shown(service.get('spec.type'))}; expected ClusterIP and no externalIPs"]
    ),
)


def _over_tls(resource: Resource) -> Iterable[str]:
    annotations = resource.get("metadata.annotations") or {}
    if not resource.every("spec.tls"):
        yield "spec.tls is not set"
    if resource.get("spec.ingressClassName") == "alb":
        if annotations.get("alb.ingress.kubernetes.io/ssl-redirect") != "443":
            yield "ssl-redirect is not 443, so plain HTTP is answered"
        policy = annotations.get("alb.ingress.kubernetes.io/ssl-policy")
        if not str(policy).startswith("ELBSecurityPolicy-TLS13"):
            yield f"ssl-policy is {shown(policy)}; expected one of ELBSecurityPolicy-TLS13-*"


over_tls = ResourcePolicy(
    "ingress-over-tls",
    POINT,
    "critical",
    "Tokens travel unencrypted. Give the Ingress tls hosts, a redirect to 443 and a TLS 1.2+ policy.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-1",
    (tokens.INGRESS,),
    _over_tls,
)


def _firewalled(stack: Stack) -> Iterable[Found]:
    public = [each for each in stack.of(tokens.LOAD_BALANCER) if each.get("spec.scheme") == "internet-facing"]
    open_to_all = [each for each in stack.of(tokens.SECURITY_GROUP_INGRESS) if each.get("cidrIpv4") == "0.0.0.0/0"]
    if public and open_to_all:
        for ingress in stack.of(tokens.INGRESS):
            if not (ingress.get("metadata.annotations") or {}).get("alb.ingress.kubernetes.io/wafv2-acl-arn"):
                yield ingress, "faces the internet without a firewall; set aws.edge.waf: true"


firewalled = StackPolicy(
    "ingress-behind-firewall",
    POINT,
    "medium",
    "The load balancer faces the whole internet without a web application firewall. Set aws.edge.waf: true.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-16",
    _firewalled,
)


def _network_policies(stack: Stack) -> Iterable[Found]:
    policies = stack.of(tokens.NETWORK_POLICY)
    if not is_platform(stack):
        return
    for namespace in stack.of(tokens.NAMESPACE):
        name = namespace.get("metadata.name")
        if not any(
            each.get("metadata.namespace") == name
            and each.get("spec.podSelector") == {}
            and {*each.every("spec.policyTypes")} == {"Ingress", "Egress"}
            and not each.every("spec.ingress")
            and not each.every("spec.egress")
            for each in policies
        ):
            yield namespace, "no NetworkPolicy denies by default"
    for owner in stack.of(*tokens.POD_OWNERS):
        labels = pod_labels(owner)
        if not any(
            each.get("spec.podSelector") and selects(each.get("spec.podSelector.matchLabels"), labels)
            for each in policies
        ):
            yield owner, "no NetworkPolicy of its own selects its pods"


network_policies = StackPolicy(
    "network-denied-by-default",
    POINT,
    "high",
    "Any pod may talk to any other. Deny by default in the namespace and allow what each workload reaches.",
    f"{KUBERNETES}/network-policies/#default-policies",
    _network_policies,
)


def _network_admits_proxy(stack: Stack) -> Iterable[Found]:
    for server in servers(stack):
        own = str(server.env.get("MLOPS_LISTEN", "")).rpartition(":")[2]
        for each in stack.of(tokens.NETWORK_POLICY):
            if selects(each.get("spec.podSelector.matchLabels"), pod_labels(server.resource)):
                for rule in items(each.every("spec.ingress")):
                    ports = [str(port.get("port")) for port in items(rule.get("ports") or ())]
                    if not ports or own in ports:
                        yield each, "admits connections to MLflow's own port; name the proxy's port only"
                    if not rule.get("from"):
                        yield each, "admits connections from everywhere; name the sources"


network_admits_proxy = StackPolicy(
    "network-admits-proxy-only",
    POINT,
    "high",
    "The network lets others reach the tracking server past its proxy. Name ports and sources in its NetworkPolicy.",
    f"{KUBERNETES}/network-policies/",
    _network_admits_proxy,
)


def _list(values: Iterable[Any]) -> str:
    return json.dumps(sorted(map(str, values)))


POLICIES = (
    service_reaches_proxy,
    service_internal,
    over_tls,
    firewalled,
    network_policies,
    network_admits_proxy,
)
