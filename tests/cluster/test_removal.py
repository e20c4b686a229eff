"""Deleting a stack's objects in reverse order leaves nothing behind."""

from __future__ import annotations

from kubernetes.dynamic.resource import ResourceList

from infra import naming
from infra.kubernetes.manifests import Manifest
from tests.cluster.cluster import Cluster, eventually

OF_THE_CLUSTER = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
"""What every namespace has by itself."""


def test_deleting_in_reverse_order_leaves_nothing(cluster: Cluster, objects: list[Manifest]) -> None:
    assert cluster.find("Pod", naming.NAMESPACE)
    cluster.delete([each for each in objects if each["kind"] != "Namespace"])
    eventually(lambda: _nothing_but_the_clusters_own(cluster))


def _nothing_but_the_clusters_own(cluster: Cluster) -> None:
    left = set()
    for resource in cluster.dynamic.resources.search(namespaced=True):
        if not isinstance(resource, ResourceList) and "list" in resource.verbs and resource.kind != "Event":
            left |= {(resource.kind, item.metadata.name) for item in resource.get(namespace=naming.NAMESPACE).items}
    assert left <= OF_THE_CLUSTER, left - OF_THE_CLUSTER
