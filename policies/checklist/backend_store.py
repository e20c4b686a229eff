"""Point 2: PostgreSQL as backend store, reached over TLS without a password, with connections to spare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs, urlsplit

from policies import tokens
from policies.capacity import connections, max_connections
from policies.model import UNKNOWN, Resource, Stack
from policies.rule import Found, ResourcePolicy, StackPolicy
from policies.workloads import DATABASE_VARIABLES, Container, containers, loopback, running, servers

POINT = "backend-store"
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
    enough_connections,
    databases_apart,
)
