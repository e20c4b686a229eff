"""What the Kubernetes runtime makes of workloads, recorded with Pulumi's mocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra.kubernetes import KubernetesRuntime, draining, images, network
from infra.kubernetes.manifests import Manifest
from infra.workloads.spec import Workload
from tests.support import kubernetes_program as program
from tests.support.kubernetes_program import ARGS, MLFLOW, PROXY, SERVING, TRACKING, Recorded


@pytest.fixture(scope="module")
def platform() -> Recorded:
    return program.platform()


def _container(platform: Recorded, kind: str, workload: str, container: str) -> Manifest:
    template = platform.one(kind, workload)["spec"]["template"]
    (found,) = [each for each in template["spec"]["containers"] if each["name"] == container]
    return found


def _pods(platform: Recorded) -> list[Manifest]:
    templates = [each["spec"]["template"] for each in platform.manifests if each["kind"] in ("Deployment", "Job")]
    crons = [
        each["spec"]["jobTemplate"]["spec"]["template"] for each in platform.manifests if each["kind"] == "CronJob"
    ]
    return [template["spec"] for template in templates + crons]


def _rules(platform: Recorded, name: str, direction: str) -> list[Manifest]:
    rules: list[Manifest] = platform.one("NetworkPolicy", name)["spec"].get(direction) or []
    return rules


def test_no_container_can_write_to_its_image_or_gain_a_privilege(platform: Recorded) -> None:
    for pod in _pods(platform):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_every_container_says_what_it_needs_and_at_most_takes(platform: Recorded) -> None:
    for pod in _pods(platform):
        for container in pod["containers"]:
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_no_pod_gets_the_token_of_the_cluster(platform: Recorded) -> None:
    assert all(pod["automountServiceAccountToken"] is False for pod in _pods(platform))
    accounts = [each for each in platform.manifests if each["kind"] == "ServiceAccount"]
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


def test_projected_token_has_the_audience_and_its_path_is_in_the_environment(platform: Recorded) -> None:
    pod = platform.one("Deployment", "serving-iris")["spec"]["template"]["spec"]
    (token,) = [
        source["serviceAccountToken"]
        for volume in pod["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
    ]
    (container,) = pod["containers"]
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "model-server-files"]
    assert token["audience"] == "mlflow"
    assert {"name": "MLOPS_TOKEN_FILE", "value": f"{mount['mountPath']}/{token['path']}"} in container["env"]


def test_workload_without_an_audience_gets_no_token(platform: Recorded) -> None:
    for container in platform.one("Deployment", "tracking")["spec"]["template"]["spec"]["containers"]:
        assert "MLOPS_TOKEN_FILE" not in {variable["name"] for variable in container["env"]}


def test_file_reference_is_the_path_where_the_file_is_mounted_read_only(platform: Recorded) -> None:
    proxy = _container(platform, "Deployment", "tracking", "proxy")
    (mount,) = proxy["volumeMounts"]
    assert mount["readOnly"] is True
    assert proxy["command"] == ["oauth2-proxy", "--config", f"{mount['mountPath']}/proxy.cfg"]


def test_secrets_stand_in_secrets_and_nowhere_else(platform: Recorded) -> None:
    holders = [each for each in platform.manifests if "made-up" in str(each)]
    assert {each["kind"] for each in holders} == {"Secret"}
    assert all(each["immutable"] for each in holders)


def test_probes_ask_ports_that_the_kubelet_reaches(platform: Recorded) -> None:
    mlflow = _container(platform, "Deployment", "tracking", "mlflow")
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        assert mlflow[probe]["httpGet"]["port"] == MLFLOW.management_port
    assert mlflow["startupProbe"]["failureThreshold"] * mlflow["startupProbe"]["periodSeconds"] >= 300


def test_startup_waits_for_life_and_not_for_a_model_that_nobody_has_trained(platform: Recorded) -> None:
    server = _container(platform, "Deployment", "serving-iris", "model-server")
    assert server["startupProbe"]["httpGet"]["path"] == "/live"
    for kind in ("Deployment", "Service"):
        assert platform.one(kind, "serving-iris")["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
        assert "annotations" not in platform.one(kind, "tracking")["metadata"]


def test_only_the_front_port_is_served(platform: Recorded) -> None:
    assert [port["port"] for port in platform.one("Service", "tracking")["spec"]["ports"]] == [PROXY.port]
    mlflow = _container(platform, "Deployment", "tracking", "mlflow")
    assert [port["containerPort"] for port in mlflow["ports"]] == [MLFLOW.management_port]


def test_service_never_leads_to_the_pod_of_a_job(platform: Recorded) -> None:
    selector = platform.one("Service", "tracking")["spec"]["selector"]
    labels = platform.one("Job", "tracking-migrate")["spec"]["template"]["metadata"]["labels"]
    assert not selector.items() <= labels.items()


def test_rollout_takes_no_pod_away_before_its_successor_is_ready(platform: Recorded) -> None:
    strategy = platform.one("Deployment", "tracking")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_backend_outlives_the_front_and_both_outlive_the_load_balancers_view_of_them(platform: Recorded) -> None:
    pod = platform.one("Deployment", "tracking")["spec"]["template"]["spec"]
    waits = {each["name"]: each["lifecycle"]["preStop"]["sleep"]["seconds"] for each in pod["containers"]}
    assert waits["proxy"] >= draining.DEREGISTRATION
    assert waits["mlflow"] >= waits["proxy"] + PROXY.shutdown_seconds
    assert pod["terminationGracePeriodSeconds"] > waits["mlflow"] + MLFLOW.shutdown_seconds


def test_pods_spread_over_zones(platform: Recorded) -> None:
    constraints = platform.one("Deployment", "tracking")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert constraints[0]["topologyKey"] == "topology.kubernetes.io/zone"
    assert constraints[0]["whenUnsatisfiable"] == "DoNotSchedule"


def test_autoscaler_and_fixed_copies_exclude_each_other(platform: Recorded) -> None:
    scaler = platform.one("HorizontalPodAutoscaler", "serving-iris")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 9)
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
    assert "replicas" not in platform.one("Deployment", "serving-iris")["spec"]
    assert platform.one("Deployment", "tracking")["spec"]["replicas"] == 2


def test_nothing_may_connect_unless_a_policy_says_so(platform: Recorded) -> None:
    assert platform.one("NetworkPolicy", "default-deny")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_workload_reaches_names_and_what_it_declares(platform: Recorded) -> None:
    dns, *rest = _rules(platform, "backup", "egress")
    assert {port["port"] for port in dns["ports"]} == {network.DNS_PORT}
    reached = {(to["ipBlock"]["cidr"], port["port"]) for rule in rest for to in rule["to"] for port in rule["ports"]}
    assert reached == {("10.0.64.0/20", 5432), ("0.0.0.0/0", 443)}
    assert _rules(platform, "backup", "ingress") == []


def test_serving_cannot_reach_the_database(platform: Recorded) -> None:
    assert "5432" not in str(_rules(platform, "serving-iris", "egress"))


def test_management_port_is_open_to_the_monitoring_only(platform: Recorded) -> None:
    (rule,) = [rule for rule in _rules(platform, "tracking", "ingress") if rule["ports"][0]["port"] == 9000]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def test_load_balancer_reaches_the_front_port_of_published_workloads_only(platform: Recorded) -> None:
    assert "10.0.0.0/20" in str(_rules(platform, "tracking", "ingress"))
    assert "10.0.0.0/20" not in str(_rules(platform, "serving-iris", "ingress"))


def test_cron_job_never_runs_twice_at_once(platform: Recorded) -> None:
    spec = platform.one("CronJob", "backup")["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 3 * * *", "Etc/UTC", "Forbid")


def test_urls_are_public_where_there_is_a_host_and_internal_elsewhere(platform: Recorded) -> None:
    assert platform.result["tracking"] == "https://mlflow.example.org"
    assert platform.result["serving"] == "http://serving-iris.mlflow.svc.cluster.local:8080"


def test_host_is_published_with_the_name_of_its_load_balancer() -> None:
    published: dict[str, Any] = {}

    def publish(host: str, balancer: Any) -> None:
        balancer.apply(lambda name: published.setdefault(host, name))

    program.record(lambda: KubernetesRuntime("kubernetes", replace(ARGS, publish=publish)).run(TRACKING))
    assert published == {"mlflow.example.org": "balancer.example.org"}


def test_migration_is_registered_before_the_server_that_needs_it() -> None:
    recorded = program.record(lambda: KubernetesRuntime("kubernetes", ARGS).run(TRACKING))
    kinds = [each["kind"] for each in recorded.manifests]
    assert kinds.index("Job") < kinds.index("Deployment")


@pytest.mark.parametrize(
    ("workload", "reason"),
    [
        (replace(SERVING, reaches=frozenset({"moon"})), "serving-iris reaches 'moon'"),
        (replace(SERVING, containers=(replace(SERVING.front, resources=None),)), "'model-server': no resources"),
        (replace(SERVING, containers=(replace(SERVING.front, port=None),)), "'model-server' has no port"),
    ],
)
def test_workload_that_a_cluster_cannot_run_is_refused_by_name(workload: Workload, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        program.record(lambda: KubernetesRuntime("kubernetes", ARGS).run(workload))


@pytest.mark.parametrize(
    "reference",
    ["host:5000/mlflow:1.2", "mlflow@sha256:" + "0" * 64, "registry.example.org/mlflow:v1@sha256:" + "0" * 64],
)
def test_pinned_image_is_taken(reference: str) -> None:
    assert images.pinned(reference) == reference


@pytest.mark.parametrize(
    "reference", ["mlflow", "mlflow:latest", "host:5000/mlflow", "mlflow@sha256:123", "", "mlflow: 1", "mlflow:"]
)
def test_image_that_is_not_pinned_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match="expected a reference pinned by tag or digest"):
        images.pinned(reference)
