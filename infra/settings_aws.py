"""The `aws` section of a stack's settings.

What decides whether data survives a mistake (protection, copies, retention, final snapshot) has no default: each stack
file states it. What an ephemeral stack may and must not have is checked here, so that nothing else asks.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from ipaddress import IPv4Network, ip_network
from itertools import combinations
from typing import Annotated, Literal, Self

import botocore.session
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from infra.section import Section


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError as error:
        raise ValueError(f"expected a CIDR such as 10.40.0.0/16 ({error})") from None
    return value


@cache
def _regions() -> frozenset[str]:
    return frozenset(botocore.session.Session().get_available_regions("eks", partition_name="aws"))


def _region(value: str) -> str:
    if value not in _regions():
        raise ValueError("no AWS region of that name has EKS; expected one such as us-east-1 or ap-northeast-1")
    return value


def _instant(value: str) -> str:
    try:
        aware = datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise ValueError("expected an ISO 8601 time with its zone, such as 2030-01-31T18:00:00+00:00")
    return value


def _pinned(reference: str) -> str:
    tag = reference.rpartition("/")[2].partition(":")[2]
    if "@sha256:" not in reference and tag in ("", "latest"):
        raise ValueError("an image is pinned by digest (@sha256:…) or by a tag other than `latest`")
    return reference


Cidr = Annotated[str, AfterValidator(_network)]
Region = Annotated[str, AfterValidator(_region)]
Instant = Annotated[str, AfterValidator(_instant)]
Image = Annotated[str, AfterValidator(_pinned)]
ImageName = Literal["tracking", "serving", "jobs", "oauth2-proxy"]
Days = Annotated[int, Field(ge=0, le=3650)]
Arn = Annotated[str, StringConstraints(pattern=r"^arn:aws:[a-z0-9-]+:[a-z0-9-]*:\d*:\S+$")]
Domain = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$", max_length=60)]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Network(Section):
    """The VPC: `cidr` is divided evenly over `zones`; `nat_gateways` are placed in the first zones.

    `interface_endpoints` are AWS service names (`ecr.api`, `sts`) reached without NAT, at a price for each zone.
    """

    cidr: Annotated[Cidr, Field(description="at most a /20, so that every zone has room")]
    zones: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)]
    nat_gateways: Annotated[int, Field(ge=1, le=3)]
    interface_endpoints: tuple[str, ...] = ()
    flow_log_days: Annotated[int, Field(ge=1)] = 30

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if ip_network(self.cidr).prefixlen not in range(16, 21):
            raise ValueError(f"cidr {self.cidr}: expected a prefix between /16 and /20")
        if len(set(self.zones)) != len(self.zones):
            raise ValueError(f"zones {list(self.zones)}: each zone may appear once")
        if self.nat_gateways > len(self.zones):
            raise ValueError(f"nat_gateways ({self.nat_gateways}) must not exceed the {len(self.zones)} zones")
        return self


class Database(Section):
    """RDS for PostgreSQL. `storage_gib` grows by itself up to `maximum_storage_gib`."""

    instance_class: Annotated[str, StringConstraints(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")]
    engine_version: Annotated[str, StringConstraints(pattern=r"^1[6-9](\.\d+)?$")] = "17"
    storage_gib: Annotated[int, Field(ge=20, le=65536)]
    maximum_storage_gib: Annotated[int, Field(ge=20, le=65536)]
    multi_az: bool
    deletion_protection: bool
    final_snapshot: bool
    backup_retention_days: Annotated[int, Field(ge=0, le=35)]
    log_days: Annotated[int, Field(ge=1)] = 30

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.maximum_storage_gib < self.storage_gib * 1.1:
            raise ValueError(
                f"maximum_storage_gib ({self.maximum_storage_gib}) must be at least 10 % above"
                f" storage_gib ({self.storage_gib})"
            )
        return self


class Artifacts(Section):
    """The artifact bucket. `noncurrent_days` is how long a deleted or overwritten object can be brought back.

    `operators` are role ARNs that may read and write objects from outside the VPC; administration of the bucket itself
    is never tied to the network. `replica_region` keeps a copy of every object there.
    """

    noncurrent_days: Annotated[int, Field(ge=1, le=3650)]
    operators: tuple[Arn, ...] = ()
    replica_region: Region | None = None


class Nodes(Section):
    """The instances that the cluster may start: families and size, up to `maximum_cpu` in all."""

    architecture: Literal["arm64", "amd64"] = "arm64"
    families: Annotated[tuple[str, ...], Field(min_length=1)]
    size: str
    maximum_cpu: Annotated[int, Field(ge=2, le=1000)]
    capacity: Literal["on-demand", "spot"]
    expected: Annotated[int, Field(ge=1)]
    """How many run on an ordinary day, for the price table only."""


class Cluster(Section):
    """EKS. `administrators` are the role ARNs, the deploying one among them, that administer the cluster.

    The API server answers inside the VPC, and outside to `public_access_cidrs` only.
    """

    version: Annotated[str, StringConstraints(pattern=r"^1\.\d{2}$")]
    service_cidr: Cidr = "172.20.0.0/16"
    administrators: Annotated[tuple[Arn, ...], Field(min_length=1)]
    public_access_cidrs: tuple[Cidr, ...] = ()
    log_days: Annotated[int, Field(ge=1)] = 90
    nodes: Nodes

    @model_validator(mode="after")
    def _not_the_world(self) -> Self:
        if "0.0.0.0/0" in self.public_access_cidrs:
            raise ValueError("public_access_cidrs: 0.0.0.0/0 opens the Kubernetes API to everyone; name your networks")
        return self


class Edge(Section):
    """`domain` is the tracking server's host, and each served model's is `MODEL.domain`; `zone_id` its hosted zone."""

    domain: Domain
    zone_id: Annotated[str, StringConstraints(pattern=r"^Z[A-Z0-9]{5,31}$")]
    scheme: Literal["internet-facing", "internal"]
    inbound_cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1)]
    waf: bool
    ingress_class: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")] = "alb"


class Oidc(Section):
    """Any OIDC issuer. Its client secret stands in the Secrets Manager secret named `client_secret_name`."""

    issuer: Annotated[str, StringConstraints(pattern=r"^https://\S+[^/\s]$")]
    client_id: str
    client_secret_name: str
    cli_client_id: str
    groups_claim: str = "groups"


class Cognito(Section):
    """A user pool of the stack's own, so that an AWS account is all it takes. `prefix` is its sign-in host's name.

    Cognito compares redirects with their port, so people sign in with `mlops login --port 8250`.
    """

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$")]
    cli_redirect: str = "http://127.0.0.1:8250/callback"


class Identity(Section):
    """Who signs people in: an `oidc` issuer or `cognito`. `github_actions` accepts the tokens of GitHub's CI.

    A CI token's group is `github:OWNER/REPOSITORY`; without a role in a team it opens nothing.
    """

    oidc: Oidc | None = None
    cognito: Cognito | None = None
    github_actions: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.oidc is None) == (self.cognito is None):
            raise ValueError("expected exactly one of `oidc` and `cognito`")
        return self


class Backups(Section):
    """AWS Backup, beside the database's own point-in-time recovery.

    `lock` is the vault's: `governance` can be lifted by an administrator, `compliance` by nobody once `lock_grace_days`
    have passed. `restore_test` restores the newest copy of the database every week and deletes it again.
    """

    retention_days: Annotated[int, Field(ge=1, le=3650)]
    lock: Literal["none", "governance", "compliance"]
    lock_grace_days: Annotated[int, Field(ge=3, le=365)] = 14
    copy_region: Region | None = None
    restore_test: bool


class Alarms(Section):
    """Where alarms go, and the monthly cost in USD at which somebody is told."""

    emails: Annotated[tuple[Email, ...], Field(min_length=1)]
    monthly_budget_usd: Annotated[int, Field(ge=1)]


class Aws(Section):
    """The AWS target. An `ephemeral` stack protects and keeps nothing, and is due for removal at `expires`."""

    region: Region
    account_id: Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
    ephemeral: bool
    expires: Instant | None = None
    network: Network
    database: Database
    artifacts: Artifacts
    cluster: Cluster
    edge: Edge
    identity: Identity
    alarms: Alarms
    backups: Backups | None
    images: dict[ImageName, Image]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_network()
        self._check_safety()
        if missing := {"tracking", "serving", "jobs", "oauth2-proxy"} - set(self.images):
            raise ValueError(f"images: {sorted(missing)[0]} is missing; expected a pinned reference")
        return self

    def _check_network(self) -> None:
        zones = self.network.zones
        for zone in zones:
            if not zone.startswith(self.region) or zone == self.region:
                raise ValueError(f"network.zones: {zone!r} is not a zone of {self.region}")
        if len(zones) < 2:
            need = "database.multi_az = true needs" if self.database.multi_az else "EKS and RDS need"
            raise ValueError(f"network.zones = {list(zones)}: {need} subnets in at least two zones")
        cidrs = {"network.cidr": self.network.cidr, "cluster.service_cidr": self.cluster.service_cidr}
        for (first, one), (second, other) in combinations(cidrs.items(), 2):
            if IPv4Network(one).overlaps(IPv4Network(other)):
                raise ValueError(f"{first} = {one} overlaps {second} = {other}; expected disjoint networks")

    def _check_safety(self) -> None:
        safety = {
            "database.deletion_protection": self.database.deletion_protection,
            "database.final_snapshot": self.database.final_snapshot,
            "database.backup_retention_days": self.database.backup_retention_days,
            "backups": self.backups,
        }
        for key, value in safety.items():
            if not self.ephemeral and not value:
                expected = "at least 1" if isinstance(value, int) and not isinstance(value, bool) else "it on"
                raise ValueError(f"{key} = {_shown(value)}: a stack that is not ephemeral must have {expected}")
            if self.ephemeral and value:
                raise ValueError(f"{key} = {_shown(value)}: an ephemeral stack leaves nothing behind; turn it off")
        if self.ephemeral != (self.expires is not None):
            raise ValueError("expires: expected for an ephemeral stack, and for no other")


def _shown(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, (bool, int)) else "…"
