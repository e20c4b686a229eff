"""What the workloads' identities may do in the cluster: nothing."""

from __future__ import annotations

import pytest

from infra import naming
from infra.kubernetes.manifests import Manifest
from tests.cluster.cluster import Cluster

ASKED = [
    *(("", name) for name in ("secrets", "configmaps", "pods", "pods/exec", "serviceaccounts/token", "nodes")),
    *(("apps", "deployments"), ("batch", "jobs"), ("networking.k8s.io", "networkpolicies")),
    *(("rbac.authorization.k8s.io", "rolebindings"), ("*", "*")),
]


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "patch", "delete", "*"])
def test_no_service_account_of_the_platform_may_do_anything_in_the_api(
    cluster: Cluster, objects: list[Manifest], verb: str
) -> None:
    accounts = [each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"]
    assert accounts
    for account in [*accounts, "default"]:
        for group, resource in ASKED:
            assert not cluster.may(naming.service_account(account), verb, group, resource), (account, group, resource)


def test_the_question_can_be_answered_with_yes(cluster: Cluster) -> None:
    controller = "system:serviceaccount:kube-system:deployment-controller"
    assert cluster.may(controller, "list", "apps", "deployments")
