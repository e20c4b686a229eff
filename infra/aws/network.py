"""The VPC: public subnets for the load balancer and NAT, private ones for the cluster, isolated ones for the database.

Not here: the S3 endpoint's policy, which belongs to the bucket (`artifacts`), and the cluster's security group, which
EKS makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

import pulumi
import pulumi_aws as aws

from infra import settings_aws
from infra.aws.iam import allow, service_role
from infra.aws.scope import Scope


@dataclass(frozen=True)
class Plan:
    """The CIDR of each tier's subnet in each zone."""

    public: tuple[str, ...]
    private: tuple[str, ...]
    database: tuple[str, ...]


def plan(cidr: str, zones: int) -> Plan:
    """A quarter of `cidr` for each private subnet, as pods take addresses; eighths of the last one for the others."""
    *private, rest = ip_network(cidr).subnets(prefixlen_diff=2)
    small = list(rest.subnets(prefixlen_diff=3))
    return Plan(
        public=tuple(map(str, small[:zones])),
        private=tuple(map(str, private[:zones])),
        database=tuple(map(str, small[3 : 3 + zones])),
    )


@dataclass(frozen=True)
class NetworkArgs:
    scope: Scope
    settings: settings_aws.Network
    log_key: pulumi.Input[str]


class Network(pulumi.ComponentResource):
    """Outputs: the VPC, its subnets by tier, the S3 gateway endpoint, and the addresses that NAT shows to the world."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:aws:Network", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self.plan = plan(args.settings.cidr, len(args.settings.zones))

        vpc = aws.ec2.Vpc(
            name,
            cidr_block=args.settings.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={"Name": args.scope.name},
            opts=self._child,
        )
        self.vpc_id = vpc.id
        aws.ec2.DefaultSecurityGroup(f"{name}-unused", vpc_id=vpc.id, ingress=[], egress=[], opts=self._child)

        public = self._subnets("public", self.plan.public, {"kubernetes.io/role/elb": "1"})
        private = self._subnets("private", self.plan.private, {"kubernetes.io/role/internal-elb": "1"})
        database = self._subnets("database", self.plan.database, {})
        self.public_subnets = [subnet.id for subnet in public]
        self.private_subnets = [subnet.id for subnet in private]
        self.database_subnets = [subnet.id for subnet in database]

        gateways = self._ways_out(public)
        tables = self._private_routes(private, gateways)
        self._route_table("database", database)
        self.s3_endpoint = aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{args.scope.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in tables],
            opts=self._child,
        )
        self._interface_endpoints(args.settings.interface_endpoints)
        self._flow_log()
        self.register_outputs({"vpc_id": self.vpc_id})

    def _subnets(self, tier: str, cidrs: Sequence[str], tags: dict[str, str]) -> list[aws.ec2.Subnet]:
        return [
            aws.ec2.Subnet(
                f"{self._name}-{tier}-{zone[-1]}",
                vpc_id=self.vpc_id,
                availability_zone=zone,
                cidr_block=cidr,
                map_public_ip_on_launch=False,
                tags={"Name": f"{self._args.scope.name}-{tier}-{zone[-1]}", "tier": tier, **tags},
                opts=self._child,
            )
            for zone, cidr in zip(self._args.settings.zones, cidrs, strict=True)
        ]

    def _route_table(self, name: str, subnets: Sequence[aws.ec2.Subnet]) -> aws.ec2.RouteTable:
        table = aws.ec2.RouteTable(f"{self._name}-{name}", vpc_id=self.vpc_id, opts=self._child)
        for index, subnet in enumerate(subnets):
            aws.ec2.RouteTableAssociation(
                f"{self._name}-{name}-{index}", route_table_id=table.id, subnet_id=subnet.id, opts=self._child
            )
        return table

    def _ways_out(self, public: Sequence[aws.ec2.Subnet]) -> list[aws.ec2.NatGateway]:
        internet = aws.ec2.InternetGateway(self._name, vpc_id=self.vpc_id, opts=self._child)
        route = aws.ec2.Route(
            f"{self._name}-public",
            route_table_id=self._route_table("public", public).id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=internet.id,
            opts=self._child,
        )
        through = pulumi.ResourceOptions(parent=self, depends_on=[route])
        subnets = public[: self._args.settings.nat_gateways]
        addresses = [aws.ec2.Eip(f"{self._name}-{index}", domain="vpc", opts=through) for index in range(len(subnets))]
        self.nat_addresses = [address.public_ip for address in addresses]
        return [
            aws.ec2.NatGateway(f"{self._name}-{index}", allocation_id=address.id, subnet_id=subnet.id, opts=through)
            for index, (address, subnet) in enumerate(zip(addresses, subnets, strict=True))
        ]

    def _private_routes(
        self, private: Sequence[aws.ec2.Subnet], gateways: Sequence[aws.ec2.NatGateway]
    ) -> list[aws.ec2.RouteTable]:
        tables = [self._route_table(f"private-{index}", [subnet]) for index, subnet in enumerate(private)]
        for index, table in enumerate(tables):
            aws.ec2.Route(
                f"{self._name}-private-{index}",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                nat_gateway_id=gateways[index % len(gateways)].id,
                opts=self._child,
            )
        return tables

    def _interface_endpoints(self, services: Sequence[str]) -> None:
        if not services:
            return
        group = aws.ec2.SecurityGroup(
            f"{self._name}-endpoints", vpc_id=self.vpc_id, description="Interface endpoints", opts=self._child
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-endpoints",
            security_group_id=group.id,
            description="HTTPS from the VPC",
            cidr_ipv4=self._args.settings.cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self._child,
        )
        for service in services:
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service.replace('.', '-')}",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{self._args.scope.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.private_subnets,
                security_group_ids=[group.id],
                opts=self._child,
            )

    def _flow_log(self) -> None:
        scope = self._args.scope
        group = aws.cloudwatch.LogGroup(
            f"{self._name}-flow",
            retention_in_days=self._args.settings.flow_log_days,
            kms_key_id=self._args.log_key,
            opts=self._child,
        )
        writer = service_role(
            f"{self._name}-flow",
            "vpc-flow-logs.amazonaws.com",
            self._child,
            condition={"StringEquals": {"aws:SourceAccount": scope.account_id}},
            statements=[
                allow(
                    "Write",
                    ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                    [group.arn, pulumi.Output.concat(group.arn, ":*")],
                )
            ],
        )
        aws.ec2.FlowLog(
            f"{self._name}-flow",
            vpc_id=self.vpc_id,
            traffic_type="ALL",
            log_destination=group.arn,
            iam_role_arn=writer.arn,
            max_aggregation_interval=600,
            opts=pulumi.ResourceOptions(parent=self, depends_on=writer.ready),
        )
