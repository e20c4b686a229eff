"""A real API server takes what the stacks register, and real controllers make admitted pods of it."""

from __future__ import annotations

import copy

import pytest
from kubernetes.client.exceptions import ApiException

from infra import naming
from infra.kubernetes.manifests import Manifest
from tests.cluster.cluster import Cluster, eventually

TEMPLATED = ("Deployment", "Job")


def _templates(objects: list[Manifest]) -> list[tuple[str, str, Manifest]]:
    jobs = [
        (each["kind"], each["metadata"]["name"], each["spec"]["template"])
        for each in objects
        if each["kind"] in TEMPLATED
    ]
    cron = [
        ("CronJob", each["metadata"]["name"], each["spec"]["jobTemplate"]["spec"]["template"])
        for each in objects
        if each["kind"] == "CronJob"
    ]
    return jobs + cron


def _pod(name: str, template: Manifest) -> Manifest:
    metadata = {"name": f"trial-{name}", "namespace": naming.NAMESPACE, **template["metadata"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"restartPolicy": "Never", **template["spec"]},
    }


def test_every_deployment_gets_its_pods(cluster: Cluster, objects: list[Manifest]) -> None:
    deployments = [each for each in objects if each["kind"] == "Deployment"]
    assert deployments

    def made() -> None:
        for each in deployments:
            pods = cluster.find(
                "Pod",
                naming.NAMESPACE,
                **{"app.kubernetes.io__name": each["metadata"]["name"], "app.kubernetes.io__component": "server"},
            )
            assert len(pods) >= each["spec"].get("replicas", 1), f"{each['metadata']['name']} has {len(pods)} pods"

    eventually(made)


def test_every_job_gets_its_pod(cluster: Cluster, objects: list[Manifest]) -> None:
    jobs = [each["metadata"]["name"] for each in objects if each["kind"] == "Job"]
    assert jobs

    def made() -> None:
        for name in jobs:
            assert cluster.find("Pod", naming.NAMESPACE, **{"job-name": name}), f"{name} has no pod"

    eventually(made)


def test_every_pod_template_is_admitted_by_pod_security_restricted(cluster: Cluster, objects: list[Manifest]) -> None:
    for _, name, template in _templates(objects):
        cluster.dry_run(_pod(name, template))


@pytest.mark.parametrize(
    ("weakened", "reason"),
    [
        ({"runAsNonRoot": False}, "runAsNonRoot"),
        ({"runAsUser": 0}, "runAsUser=0"),
        ({"seccompProfile": {"type": "Unconfined"}}, "seccompProfile"),
    ],
)
def test_namespace_refuses_a_pod_that_is_less_confined(
    cluster: Cluster, objects: list[Manifest], weakened: Manifest, reason: str
) -> None:
    _, name, template = _templates(objects)[0]
    pod = copy.deepcopy(_pod(name, template))
    pod["spec"]["securityContext"] |= weakened
    with pytest.raises(ApiException, match=reason):
        cluster.dry_run(pod)


def test_pods_hold_no_token_of_the_cluster_but_the_one_of_their_audience(
    cluster: Cluster, objects: list[Manifest]
) -> None:
    for pod in cluster.find("Pod", naming.NAMESPACE):
        for volume in pod.spec.volumes or []:
            for source in (volume.projected or {}).get("sources", []) if volume.projected else []:
                token = source.get("serviceAccountToken")
                assert token is None or token["audience"] == naming.AUDIENCE, pod.metadata.name


def test_applying_the_same_objects_again_changes_none_of_them(cluster: Cluster, objects: list[Manifest]) -> None:
    def generations() -> list[int | None]:
        return [
            cluster.kind(each)
            .get(name=each["metadata"]["name"], namespace=each["metadata"].get("namespace"))
            .metadata.generation
            for each in objects
        ]

    before = generations()
    cluster.apply(objects)
    assert generations() == before
