"""Point 2: PostgreSQL as backend store, encrypted, private, and with connections to spare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from policies import tokens
from policies.capacity import connections, max_connections
from policies.model import UNKNOWN, Resource, Stack
from policies.rule import FILLED, Found, ResourcePolicy, StackPolicy, includes, inputs
from policies.workloads import DATABASE_VARIABLES, Container, containers, loopback, running, servers

POINT = "backend-store"
RDS = "https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html"
MLFLOW = "https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/"


def _uris(container: Container) -> Iterator[tuple[str, str]]:
    """The database URIs that are known, by variable."""
    for variable in DATABASE_VARIABLES:
        value = container.env.get(variable)
        if isinstance(value, str):
            yield variable, value


def _postgresql(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        for variable, uri in _uris(container):
            scheme = uri.partition(":")[0]
            if not scheme.startswith("postgresql+"):
                yield f"{variable} of {container.name!r} is a {scheme}: URI; expected postgresql+psycopg://"
        if container.is_server and not container.env.get("MLFLOW_BACKEND_STORE_URI"):
            yield f"{container.name!r} has no MLFLOW_BACKEND_STORE_URI, so MLflow keeps its runs in a local SQLite file"


postgresql = ResourcePolicy(
    "backend-postgresql",
    POINT,
    "critical",
    "The tracking server keeps its runs in something else than PostgreSQL. Give it a postgresql+psycopg:// URI.",
    MLFLOW,
    tokens.WORKLOADS,
    _postgresql,
)


def _connected(stack: Stack) -> Iterable[Found]:
    databases = {database.urn for database in stack.of(tokens.RDS_INSTANCE, tokens.LOCAL_DATABASE)}
    for container in servers(stack):
        if any(container.env.get(variable) is UNKNOWN for variable in DATABASE_VARIABLES):
            linked = frozenset().union(*container.resource.links.values())
            if databases.isdisjoint(linked):
                yield container.resource, "its database URI comes from none of the stack's databases"


connected = StackPolicy(
    "backend-connected",
    POINT,
    "high",
    "A tracking server's backend store is not known yet and comes from no database of the stack. "
    "Use the database's output.",
    MLFLOW,
    _connected,
)


def _without_password(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        for variable, uri in _uris(container):
            if re.match(r"[^/]+://[^/@]*:[^/@]+@", uri):
                yield f"{variable} of {container.name!r} carries a password; use IAM tokens or a password file"


without_password = ResourcePolicy(
    "backend-uri-without-password",
    POINT,
    "critical",
    "A database URI carries a password, which everyone sees who sees the pod. Use ?plugin=rds_iam, or PGPASSFILE.",
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html",
    tokens.WORKLOADS,
    _without_password,
)


def _verified_tls(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        for variable, uri in _uris(container):
            parts = urlsplit(uri)
            mode = parse_qs(parts.query).get("sslmode", ["none"])[0]
            if parts.hostname and not loopback(parts.hostname) and mode != "verify-full":
                yield f"{variable} of {container.name!r} has sslmode={mode}; expected sslmode=verify-full"


verified_tls = ResourcePolicy(
    "backend-tls-verified",
    POINT,
    "high",
    "Connections to the database are not encrypted, or not to a server that is checked. "
    "Add sslmode=verify-full to the URI.",
    "https://www.postgresql.org/docs/current/libpq-ssl.html",
    tokens.POD_OWNERS,
    _verified_tls,
    deferred="the URI has the database's address in it",
)


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


def _connections(stack: Stack) -> Iterable[Found]:
    limits = [limit for limit in map(max_connections, _database_servers(stack)) if limit is not None]
    for container in servers(stack):
        needed = connections(stack, container)
        if limits and needed >= min(limits):
            yield (
                container.resource,
                f"may open {needed} connections; the database accepts {min(limits)}. "
                "Lower tracking.workers or the pool, or take a larger database",
            )


def _database_servers(stack: Stack) -> list[Resource]:
    local = [each.resource for each in running(stack) if any("max_connections=" in str(part) for part in each.command)]
    return [*stack.of(tokens.RDS_INSTANCE), *local]


enough_connections = StackPolicy(
    "database-connections-suffice",
    POINT,
    "high",
    "Replicas x workers x (pool + overflow) is more than the database's max_connections. "
    "Fewer workers or a larger database.",
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections",
    _connections,
)


def _databases_apart(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        uris = dict(_uris(container))
        if len(uris) == 2 and len(set(uris.values())) == 1:
            yield f"both URIs of {container.name!r} name one database; users and runs need one each"


databases_apart = ResourcePolicy(
    "backend-users-apart",
    POINT,
    "medium",
    "Users and runs share one database and one role. Give MLOPS_AUTH_DATABASE_URI a database of its own.",
    "https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/",
    tokens.WORKLOADS,
    _databases_apart,
)

POLICIES = (
    postgresql,
    connected,
    without_password,
    verified_tls,
    databases_apart,
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
    enough_connections,
)
