"""What a target (one machine, AWS) must supply for the workloads to run on it: values and one thing to do.

Every `env`, `secret_env`, `files`, `labels` and `annotations` map may be empty; this is how targets differ without the
workloads knowing. Nothing here is target-specific, and workloads import nothing else of a target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pulumi

from infra.workloads.spec import FileRef, ScheduledJob, Text, Workload


@dataclass(frozen=True)
class Database:
    """Two PostgreSQL databases, each with a role of its own; the URIs carry no password.

    `tracking_uri` and `auth_uri` are SQLAlchemy URIs that name the driver, `postgresql+psycopg://…`. How a connection
    authenticates is in `env` and `secret_files` (a password file) or in the URI's plugin (IAM tokens).
    """

    tracking_uri: Text
    auth_uri: Text
    env: Mapping[str, Text | FileRef] = field(default_factory=dict)
    secret_files: Mapping[str, Text] = field(default_factory=dict)


@dataclass(frozen=True)
class ArtifactStore:
    """One S3 bucket. `uri` is `s3://BUCKET/PREFIX`; only the tracking server gets `env` and `secret_env`."""

    uri: Text
    env: Mapping[str, Text] = field(default_factory=dict)
    secret_env: Mapping[str, Text] = field(default_factory=dict)


@dataclass(frozen=True)
class Issuer:
    """An OIDC issuer whose JWTs are accepted as bearer tokens, and how its claims name a user and the user's groups.

    `group_prefix` keeps a group name of one issuer from meaning a group of another. `username_prefix` likewise.
    """

    url: Text
    audience: str
    username_claim: str = "email"
    groups_claim: str = "groups"
    username_prefix: str = ""
    group_prefix: str = ""


@dataclass(frozen=True)
class Identity:
    """Who signs people in, and whose tokens count.

    `people` is the issuer that the OAuth2 proxy sends browsers to, as `client_id`; the proxy keeps `client_secret`.
    `cli_client_id` is the public client of `mlops login`. `workloads` issue the projected tokens of pods, jobs and CI.
    `scope` is what `people` is asked for; issuers differ in what they refuse.
    """

    people: Issuer
    client_id: Text
    client_secret: Text
    cookie_secret: Text
    cli_client_id: Text
    workloads: Sequence[Issuer] = ()
    scope: str = "openid email profile groups offline_access"


@dataclass(frozen=True)
class Edge:
    """Where people and programs reach the platform.

    `tracking_url` has no trailing slash. `allowed_hosts` are the exact Host headers MLflow may see, with ports;
    `trusted_proxies` the CIDRs whose X-Forwarded-* headers the OAuth2 proxy believes.
    """

    tracking_url: Text
    allowed_hosts: Sequence[Text]
    trusted_proxies: Sequence[str]
    secure_cookies: bool
    bind: str
    """The address that an exposed container listens on: 0.0.0.0 in a pod, a loopback address on one machine."""


class Runtime(Protocol):
    """Runs workloads. The returned outputs resolve when the workload has been started with this definition."""

    def run(self, workload: Workload, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Starts or updates `workload`; returns the URL of its front container, without a trailing slash."""

    def schedule(self, job: ScheduledJob, opts: pulumi.ResourceOptions | None = None) -> None:
        """Runs `job` on its schedule."""


@dataclass(frozen=True)
class Foundation:
    """All that a target supplies. `outputs` are exported by the stack as they are."""

    database: Database
    artifacts: ArtifactStore
    identity: Identity
    edge: Edge
    runtime: Runtime
    secrets: Mapping[str, Text]
    """Generated once: `flask` (session signing), `kek` (encrypts MLflow's stored credentials)."""
    outputs: Mapping[str, pulumi.Input[object]] = field(default_factory=dict)
