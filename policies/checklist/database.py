"""Point 2: the database on RDS: encrypted, private, protected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policies import tokens
from policies.checklist.backend_store import POINT
from policies.model import Resource, Stack
from policies.rule import FILLED, Found, ResourcePolicy, StackPolicy, includes, inputs

RDS = "https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html"


def _instance(name: str, severity: Any, expected: dict[str, Any], description: str, control: str) -> ResourcePolicy:
    return ResourcePolicy(name, POINT, severity, description, RDS + control, (tokens.RDS_INSTANCE,), inputs(expected))


engine = _instance(
    "database-postgresql", "high", {"engine": "postgres"}, "The database is not PostgreSQL. Set engine='postgres'.", ""
)
encrypted = _instance(
    "database-encrypted",
    "critical",
    {"storageEncrypted": True, "kmsKeyId": FILLED},
    "The database's disk is not encrypted with a key of the stack. Set storage_encrypted=True and kms_key_id.",
    "#rds-3",
)
private = _instance(
    "database-private",
    "critical",
    {"publiclyAccessible": False, "dbSubnetGroupName": FILLED, "vpcSecurityGroupIds": FILLED},
    "The database can be reached from the internet. Set publicly_accessible=False, a subnet group and security groups.",
    "#rds-2",
)
iam_sign_in = _instance(
    "database-iam-sign-in",
    "high",
    {"iamDatabaseAuthenticationEnabled": True},
    "The database accepts passwords only. Set iam_database_authentication_enabled=True.",
    "#rds-10",
)
managed_password = _instance(
    "database-managed-password",
    "high",
    {"manageMasterUserPassword": True, "password": None},
    "The master password is in the program's state. Set manage_master_user_password=True and no password.",
    "",
)
several_zones = _instance(
    "database-several-zones",
    "high",
    {"multiAz": True},
    "The database is in one zone and lost with it for hours. Set aws.database.multi_az: true.",
    "#rds-5",
)
protected = _instance(
    "database-deletion-protected",
    "high",
    {"deletionProtection": True},
    "The database can be deleted by mistake. Set aws.database.deletion_protection: true.",
    "#rds-8",
)
upgrades = _instance(
    "database-minor-upgrades",
    "medium",
    {"autoMinorVersionUpgrade": True},
    "The database does not get security fixes by itself. Set auto_minor_version_upgrade=True.",
    "#rds-13",
)
logs = _instance(
    "database-logs-exported",
    "medium",
    {"enabledCloudwatchLogsExports": includes("postgresql", "upgrade")},
    "The database's logs stay on its disk. Set enabled_cloudwatch_logs_exports=['postgresql', 'upgrade'].",
    "#rds-36",
)


def _forces_tls(resource: Resource) -> Iterable[str]:
    values = {each.get("name"): each.get("value") for each in resource.every("parameters")}
    if values.get("rds.force_ssl") != "1":
        yield f"rds.force_ssl is {values.get('rds.force_ssl', 'not set')}; expected 1"
    if values.get("rds.accepted_password_auth_method") not in (None, "scram"):
        yield "rds.accepted_password_auth_method must be scram"


forces_tls = ResourcePolicy(
    "database-forces-tls",
    POINT,
    "high",
    "The database accepts connections that are not encrypted. Set the parameter rds.force_ssl to 1.",
    RDS + "#rds-38",
    (tokens.RDS_PARAMETERS,),
    _forces_tls,
)


def _private_subnets(stack: Stack) -> Iterable[Found]:
    for instance in stack.of(tokens.RDS_INSTANCE):
        groups = stack.linked(instance, "dbSubnetGroupName", tokens.RDS_SUBNETS)
        if not groups:
            yield (
                instance,
                "its subnet group is not one of the stack's; set db_subnet_group_name to one of private subnets",
            )
        for subnet in (each for group in groups for each in stack.linked(group, "subnetIds", tokens.SUBNET)):
            for association in stack.about(subnet, tokens.ROUTE_ASSOCIATION, "subnetId"):
                for table in stack.linked(association, "routeTableId", tokens.ROUTE_TABLE):
                    if any(route.get("gatewayId") for route in stack.about(table, tokens.ROUTE, "routeTableId")):
                        yield instance, f"its subnet {subnet.name} has a route to the internet gateway"


private_subnets = StackPolicy(
    "database-in-private-subnets",
    POINT,
    "critical",
    "The database is in a subnet that the internet gateway serves. Put its subnet group into private subnets.",
    RDS + "#rds-46",
    _private_subnets,
)


def _admits_cluster_only(stack: Stack) -> Iterable[Found]:
    for instance in stack.of(tokens.RDS_INSTANCE):
        port = instance.get("port")
        for group in stack.linked(instance, "vpcSecurityGroupIds", tokens.SECURITY_GROUP):
            if group.every("ingress"):
                yield group, "has rules of its own; use SecurityGroupIngressRule, one for each port and source"
            for rule in stack.about(group, tokens.SECURITY_GROUP_INGRESS, "securityGroupId"):
                if rule.get("cidrIpv4") or rule.get("cidrIpv6") or not rule.get("referencedSecurityGroupId"):
                    yield rule, "admits addresses to the database; expected the cluster's security group as source"
                if (rule.get("fromPort"), rule.get("toPort")) != (port, port) or rule.get("ipProtocol") != "tcp":
                    yield rule, f"admits more than TCP port {port} to the database"


admits_cluster_only = StackPolicy(
    "database-admits-cluster-only",
    POINT,
    "critical",
    "The database's security group admits more than the cluster on PostgreSQL's port. "
    "Name the cluster's group as source.",
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.RDSSecurityGroups.html",
    _admits_cluster_only,
)


POLICIES = (
    engine,
    encrypted,
    private,
    iam_sign_in,
    managed_password,
    several_zones,
    protected,
    upgrades,
    logs,
    forces_tls,
    private_subnets,
    admits_cluster_only,
)
