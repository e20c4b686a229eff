"""What is protected, what goes, and in which order."""

from __future__ import annotations

import json

from infra.recording import Recording
from tests.stacks.reading import outlives

INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
HOLDING_DATA = {
    "aws:rds/instance:Instance",
    "aws:backup/vault:Vault",
    "aws:kms/key:Key",
    "aws:eks/cluster:Cluster",
}


def test_what_holds_data_is_protected(lasting: Recording) -> None:
    holding = [r for r in lasting.resources if r.type in HOLDING_DATA]
    assert {r.type for r in holding} == HOLDING_DATA
    assert all(r.protect for r in holding), [r.urn for r in holding if not r.protect]
    assert lasting.one("aws:s3/bucket:Bucket", "artifacts").protect
    assert lasting.one("random:index/randomBytes:RandomBytes", "kek").protect
    assert lasting.one("aws:eks/cluster:Cluster").inputs["deletionProtection"] is True


def test_an_ephemeral_stack_protects_and_keeps_nothing(ephemeral: Recording) -> None:
    assert not [r.urn for r in ephemeral.resources if r.protect or r.retain_on_delete]
    database = ephemeral.one("aws:rds/instance:Instance").inputs
    assert database["deletionProtection"] is False
    assert database["skipFinalSnapshot"] is True
    assert database["backupRetentionPeriod"] == 0
    assert database["deleteAutomatedBackups"] is True
    assert ephemeral.one("aws:eks/cluster:Cluster").inputs["deletionProtection"] is False
    assert all(bucket.inputs["forceDestroy"] for bucket in ephemeral.of("aws:s3/bucket:Bucket"))
    assert all(repository.inputs["forceDelete"] for repository in ephemeral.of("aws:ecr/repository:Repository"))
    assert all(key.inputs["deletionWindowInDays"] == 7 for key in ephemeral.of("aws:kms/key:Key"))
    assert all(
        pool.inputs["deletionProtection"] == "INACTIVE" for pool in ephemeral.of("aws:cognito/userPool:UserPool")
    )
    assert not ephemeral.of("aws:backup/vault:Vault")


def test_nothing_that_lasts_is_emptied_by_force(lasting: Recording) -> None:
    assert not any(bucket.inputs["forceDestroy"] for bucket in lasting.of("aws:s3/bucket:Bucket"))
    assert not any(repository.inputs["forceDelete"] for repository in lasting.of("aws:ecr/repository:Repository"))


def test_an_ephemeral_stack_says_when_it_may_go(ephemeral: Recording, prod: Recording) -> None:
    def tags(recording: Recording) -> dict[str, str]:
        (provider,) = recording.of("pulumi:providers:aws")
        return dict(json.loads(provider.inputs["defaultTags"])["tags"])

    assert tags(ephemeral)["expires"] == "2030-01-31T18:00:00+00:00"
    assert "expires" not in tags(prod)


def test_an_ephemeral_stack_is_small(ephemeral: Recording) -> None:
    assert len(ephemeral.of("aws:ec2/natGateway:NatGateway")) == 1
    assert ephemeral.one("aws:rds/instance:Instance").inputs["multiAz"] is False
    assert not ephemeral.of("aws:wafv2/webAcl:WebAcl")


def test_the_load_balancer_goes_before_all_that_it_stands_on(any_state: Recording) -> None:
    beneath = {
        "aws:eks/cluster:Cluster",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "kubernetes:networking.k8s.io/v1:IngressClass",
        "kubernetes:eks.amazonaws.com/v1:IngressClassParams",
        "aws:acm/certificate:Certificate",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/internetGateway:InternetGateway",
        "aws:s3/bucketPolicy:BucketPolicy",
    }
    for ingress in any_state.of(INGRESS):
        later = outlives(any_state, ingress)
        types = {resource.type for resource in any_state.resources if resource.urn in later}
        assert beneath <= types, f"{ingress.name}: {sorted(beneath - types)} may go first"
        assert any_state.one("aws:ec2/securityGroup:SecurityGroup", "edge").urn in later


def test_names_go_before_the_load_balancer_that_they_lead_to(any_state: Recording) -> None:
    ingresses = {ingress.urn for ingress in any_state.of(INGRESS)}
    for record in any_state.of("aws:route53/record:Record"):
        if record.inputs["type"] == "A":
            assert outlives(any_state, record) & ingresses


def test_nodes_go_before_the_roles_and_the_cluster_that_run_them(any_state: Recording) -> None:
    (pool,) = any_state.of("kubernetes:karpenter.sh/v1:NodePool")
    later = outlives(any_state, pool)
    assert any_state.one("aws:eks/cluster:Cluster").urn in later
    assert any_state.one("aws:iam/role:Role", "cluster-node").urn in later
    assert any_state.one("aws:eks/accessPolicyAssociation:AccessPolicyAssociation", "cluster-node").urn in later
    assert {r.urn for r in any_state.of("aws:ec2/natGateway:NatGateway")} <= later, (
        "draining nodes still pull and report"
    )


def test_workloads_go_before_the_nodes_that_run_them(any_state: Recording) -> None:
    (pool,) = any_state.of("kubernetes:karpenter.sh/v1:NodePool")
    for deployment in any_state.of("kubernetes:apps/v1:Deployment"):
        assert pool.urn in outlives(any_state, deployment)


def test_endpoints_and_gateways_go_before_the_vpc(any_state: Recording) -> None:
    vpc = any_state.one("aws:ec2/vpc:Vpc").urn
    inside = [
        r
        for type_ in (
            "ec2/vpcEndpoint:VpcEndpoint",
            "ec2/natGateway:NatGateway",
            "ec2/subnet:Subnet",
            "eks/cluster:Cluster",
        )
        for r in any_state.of(f"aws:{type_}")
    ]
    assert len(inside) > 6
    assert all(vpc in outlives(any_state, resource) for resource in inside)


def test_log_groups_outlive_what_writes_to_them(any_state: Recording) -> None:
    """Or the service makes them again after they are gone, and leaves them behind for ever."""
    groups = {group.name: group.urn for group in any_state.of("aws:cloudwatch/logGroup:LogGroup")}
    assert groups["cluster"] in outlives(any_state, any_state.one("aws:eks/cluster:Cluster"))
    database = outlives(any_state, any_state.one("aws:rds/instance:Instance"))
    assert {groups["database-postgresql"], groups["database-upgrade"]} <= database
