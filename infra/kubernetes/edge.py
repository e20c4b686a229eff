"""The way to a workload: its Service, and the Ingress when it has a public host."""

from __future__ import annotations

from pulumi_kubernetes.core.v1 import ServicePortArgs, ServiceSpecArgs
from pulumi_kubernetes.networking.v1 import (
    HTTPIngressPathArgs,
    HTTPIngressRuleValueArgs,
    IngressBackendArgs,
    IngressRuleArgs,
    IngressServiceBackendArgs,
    IngressSpecArgs,
    IngressTLSArgs,
    ServiceBackendPortArgs,
)

from infra import naming
from infra.kubernetes import labels

PORT = "http"
"""The name of a front container's port."""


def service(name: str, component: str, port: int) -> ServiceSpecArgs:
    """Reaches the front port of the ready pods, and no other port."""
    return ServiceSpecArgs(
        type="ClusterIP",
        selector=labels.selector(name, component),
        ports=[ServicePortArgs(name=PORT, port=port, target_port=PORT, protocol="TCP", app_protocol="http")],
    )


def ingress(name: str, host: str, ingress_class: str) -> IngressSpecArgs:
    """Leads https://`host` to the Service `name`."""
    backend = IngressBackendArgs(service=IngressServiceBackendArgs(name=name, port=ServiceBackendPortArgs(name=PORT)))
    path = HTTPIngressPathArgs(path="/", path_type="Prefix", backend=backend)
    return IngressSpecArgs(
        ingress_class_name=ingress_class,
        tls=[IngressTLSArgs(hosts=[host])],
        rules=[IngressRuleArgs(host=host, http=HTTPIngressRuleValueArgs(paths=[path]))],
    )


def internal_url(name: str, port: int) -> str:
    """The URL of a workload inside the cluster."""
    return f"http://{name}.{naming.NAMESPACE}.svc.cluster.local:{port}"
