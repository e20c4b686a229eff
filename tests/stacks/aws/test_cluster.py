from __future__ import annotations

import json

from infra.recording import Recording

CLUSTER = "aws:eks/cluster:Cluster"
CUSTOM = "kubernetes:{}:{}"


def test_auto_mode_runs_compute_storage_and_load_balancing(any_state: Recording) -> None:
    inputs = any_state.one(CLUSTER).inputs
    assert inputs["computeConfig"]["enabled"] is True
    assert inputs["storageConfig"]["blockStorage"]["enabled"] is True
    assert inputs["kubernetesNetworkConfig"]["elasticLoadBalancing"]["enabled"] is True
    assert inputs["bootstrapSelfManagedAddons"] is False


def test_the_api_answers_inside_and_outside_to_named_networks_only(any_state: Recording) -> None:
    vpc = any_state.one(CLUSTER).inputs["vpcConfig"]
    assert vpc["endpointPrivateAccess"] is True
    assert vpc["endpointPublicAccess"] is bool(vpc.get("publicAccessCidrs"))
    assert "0.0.0.0/0" not in vpc.get("publicAccessCidrs", [])


def test_the_production_api_is_private(prod: Recording) -> None:
    assert prod.one(CLUSTER).inputs["vpcConfig"]["endpointPublicAccess"] is False


def test_all_control_plane_logs_are_kept_and_the_group_is_made_first(any_state: Recording) -> None:
    cluster = any_state.one(CLUSTER)
    assert set(cluster.inputs["enabledClusterLogTypes"]) == {
        "api",
        "audit",
        "authenticator",
        "controllerManager",
        "scheduler",
    }
    group = any_state.one("aws:cloudwatch/logGroup:LogGroup", "cluster")
    assert group.inputs["name"] == f"/aws/eks/{cluster.inputs['name']}/cluster"
    assert group.urn in cluster.dependencies


def test_kubernetes_secrets_are_encrypted_with_a_key_of_their_own(any_state: Recording) -> None:
    cluster = any_state.one(CLUSTER)
    assert cluster.inputs["encryptionConfig"]["resources"] == ["secrets"]
    assert any_state.one("aws:kms/key:Key", "cluster").urn in cluster.dependencies


def test_access_is_by_entries_and_the_creator_has_none_by_accident(any_state: Recording) -> None:
    access = any_state.one(CLUSTER).inputs["accessConfig"]
    assert access == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    policies = {
        a.inputs["policyArn"].rpartition("/")[2]
        for a in any_state.of("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    }
    assert policies == {"AmazonEKSAutoNodePolicy", "AmazonEKSClusterAdminPolicy"}


def test_nodes_are_in_private_subnets(aws_stack: Recording) -> None:
    (node_class,) = aws_stack.of("kubernetes:eks.amazonaws.com/v1:NodeClass")
    private = [s for s in aws_stack.of("aws:ec2/subnet:Subnet") if s.inputs["tags"]["tier"] == "private"]
    assert len(node_class.inputs["spec"]["subnetSelectorTerms"]) == len(private)
    assert {subnet.urn for subnet in private} <= node_class.dependencies


def test_network_policies_are_enforced_before_any_workload_runs(any_state: Recording) -> None:
    (switch,) = [c for c in any_state.of("kubernetes:core/v1:ConfigMap") if c.name == "basics-network-policy"]
    assert switch.inputs["metadata"] == {"name": "amazon-vpc-cni", "namespace": "kube-system"}
    assert switch.inputs["data"] == {"enable-network-policy-controller": "true"}
    deployments = any_state.of("kubernetes:apps/v1:Deployment")
    assert deployments
    assert all(switch.urn in deployment.dependencies for deployment in deployments)


def test_the_cluster_cannot_grow_without_limit(any_state: Recording) -> None:
    (pool,) = any_state.of("kubernetes:karpenter.sh/v1:NodePool")
    assert 0 < int(pool.inputs["spec"]["limits"]["cpu"]) <= 32
    assert any_state.one(CLUSTER).inputs["computeConfig"]["nodePools"] == []


def test_autoscalers_have_metrics_to_read(any_state: Recording) -> None:
    assert any_state.one("aws:eks/addon:Addon").inputs["addonName"] == "metrics-server"


def test_the_kubeconfig_holds_no_credential(aws_stack: Recording) -> None:
    (provider,) = aws_stack.of("pulumi:providers:kubernetes")
    (user,) = json.loads(provider.inputs["kubeconfig"])["users"]
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["command"] == "aws"


def test_everything_in_the_cluster_goes_through_its_provider(any_state: Recording) -> None:
    (provider,) = any_state.of("pulumi:providers:kubernetes")
    objects = [r for r in any_state.resources if r.type.startswith("kubernetes:")]
    assert objects
    assert {r.provider for r in objects} == {provider.urn}


def test_every_aws_resource_goes_through_the_provider_that_tags(any_state: Recording) -> None:
    (provider,) = any_state.of("pulumi:providers:aws")
    assert {r.provider for r in any_state.resources if r.type.startswith("aws:")} == {provider.urn}
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["111122223333"]
