"""EKS with Auto Mode: AWS runs the nodes, storage, load balancing and Pod Identity; nothing is installed with Helm.

Not here: what must stand inside the cluster before a workload runs (`cluster_basics`), and the load balancer (`edge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import settings_aws
from infra.aws.iam import service_role
from infra.aws.keys import key
from infra.aws.scope import Scope

AUTO_MODE = (
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
NODE = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")


@dataclass(frozen=True)
class ClusterArgs:
    scope: Scope
    settings: settings_aws.Cluster
    subnets: Sequence[pulumi.Input[str]]
    log_key: pulumi.Input[str]


class Cluster(pulumi.ComponentResource):
    """Outputs: name, ARN, OIDC issuer and security group, the nodes' role, and a provider for what runs inside."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Cluster", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        cluster = self._cluster()
        self.name, self.arn = cluster.name, cluster.arn
        self.issuer = cluster.identities.apply(lambda identities: str((identities[0].oidcs or [])[0].issuer))
        self.security_group = cluster.vpc_config.apply(lambda vpc: str(vpc.cluster_security_group_id))
        nodes = service_role(f"{name}-node", "ec2.amazonaws.com", self._child, managed=NODE)
        self.node_role = nodes.name
        admitted = self._admit("node", nodes.arn, "AmazonEKSAutoNodePolicy", type_="EC2")
        administrators = [
            self._admit(f"administrator-{index}", principal, "AmazonEKSClusterAdminPolicy")
            for index, principal in enumerate(args.settings.administrators)
        ]
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=pulumi.Output.json_dumps(self._kubeconfig(cluster)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*administrators, admitted, *nodes.ready]),
        )
        self.register_outputs({"name": self.name})

    def _cluster(self) -> aws.eks.Cluster:
        scope, settings = self._args.scope, self._args.settings
        role = service_role(
            self._name,
            "eks.amazonaws.com",
            self._child,
            managed=AUTO_MODE,
            actions=["sts:AssumeRole", "sts:TagSession"],
            condition={"StringEquals": {"aws:SourceAccount": scope.account_id}},
        )
        secrets = key(self._name, scope, "the cluster's Kubernetes secrets", self._child)
        logs = aws.cloudwatch.LogGroup(  # EKS would make it without a retention, and leave it behind
            self._name,
            name=f"/aws/eks/{scope.name}/cluster",
            retention_in_days=settings.log_days,
            kms_key_id=self._args.log_key,
            opts=self._child,
        )
        return aws.eks.Cluster(
            self._name,
            name=scope.name,
            version=settings.version,
            role_arn=role.arn,
            deletion_protection=scope.protect,
            bootstrap_self_managed_addons=False,
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            compute_config=aws.eks.ClusterComputeConfigArgs(enabled=True, node_pools=[]),  # see cluster_basics
            storage_config=aws.eks.ClusterStorageConfigArgs(
                block_storage=aws.eks.ClusterStorageConfigBlockStorageArgs(enabled=True)
            ),
            kubernetes_network_config=aws.eks.ClusterKubernetesNetworkConfigArgs(
                elastic_load_balancing=aws.eks.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs(enabled=True),
                service_ipv4_cidr=settings.service_cidr,
            ),
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=list(self._args.subnets),
                endpoint_private_access=True,
                endpoint_public_access=bool(settings.public_access_cidrs),
                public_access_cidrs=list(settings.public_access_cidrs) or None,
            ),
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=secrets.arn), resources=["secrets"]
            ),
            enabled_cluster_log_types=list(LOGS),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*role.ready, logs], protect=scope.protect),
        )

    def _admit(
        self, name: str, principal: pulumi.Input[str], policy: str, type_: str = "STANDARD"
    ) -> aws.eks.AccessPolicyAssociation:
        entry = aws.eks.AccessEntry(
            f"{self._name}-{name}", cluster_name=self.name, principal_arn=principal, type=type_, opts=self._child
        )
        return aws.eks.AccessPolicyAssociation(
            f"{self._name}-{name}",
            cluster_name=self.name,
            principal_arn=entry.principal_arn,
            policy_arn=f"arn:aws:eks::aws:cluster-access-policy/{policy}",
            access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
            opts=self._child,
        )

    def _kubeconfig(self, cluster: aws.eks.Cluster) -> dict[str, object]:
        """A kubeconfig without a credential in it: the AWS CLI makes a token for whoever deploys."""
        token = {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "aws",
            "args": ["--region", self._args.scope.region, "eks", "get-token", "--cluster-name", cluster.name],
        }
        server = {
            "server": cluster.endpoint,
            "certificate-authority-data": cluster.certificate_authority.apply(lambda authority: authority.data),
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "eks",
            "contexts": [{"name": "eks", "context": {"cluster": "eks", "user": "eks"}}],
            "clusters": [{"name": "eks", "cluster": server}],
            "users": [{"name": "eks", "user": {"exec": token}}],
        }
