"""EKS Pod Identity: the role of one service account, with what that one needs and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.iam import Statement, service_role

AGENT = "169.254.170.23/32"
"""Where pods fetch their credentials: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html"""


@dataclass(frozen=True)
class PodRoleArgs:
    """`service_account` stands in the platform's namespace."""

    account_id: str
    cluster_name: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    service_account: str
    statements: Sequence[Statement]


class PodRole(pulumi.ComponentResource):
    """A workload depends on it as a whole, so that its first pod has credentials."""

    def __init__(self, name: str, args: PodRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:PodRole", name, None, opts)
        role = service_role(
            name,
            "pods.eks.amazonaws.com",
            pulumi.ResourceOptions(parent=self),
            actions=["sts:AssumeRole", "sts:TagSession"],
            condition={
                "StringEquals": {"aws:SourceAccount": args.account_id},
                "ArnEquals": {"aws:SourceArn": args.cluster_arn},
            },
            statements=args.statements,
        )
        aws.eks.PodIdentityAssociation(
            name,
            cluster_name=args.cluster_name,
            namespace=naming.NAMESPACE,
            service_account=args.service_account,
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=role.ready),
        )
        self.register_outputs({})
