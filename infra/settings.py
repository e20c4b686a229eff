"""What a stack's settings may say; the only reader of the Pulumi configuration.

`load()` turns the stack's configuration into frozen models before any resource is registered. A key that is unknown,
has the wrong type or cannot be combined with another one ends the run with one line per problem.
"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pulumi
from pydantic import Field, StringConstraints, ValidationError, model_validator

from infra.section import Section
from infra.settings_aws import Aws

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$")]
Group = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^\S(.*\S)?$")]
Port = Annotated[int, Field(ge=1024, le=65535)]
Role = Literal["viewer", "editor", "approver", "admin"]


class SettingsError(pulumi.RunError):
    """The stack's settings cannot be used; the message has one line per problem."""


class Tracking(Section):
    """The tracking server.

    `port` is where people and programs reach it (the OAuth2 proxy); `server_port` is MLflow's own, which only the proxy
    talks to; `management_port` answers probes and metric scrapes. `direct_artifacts` lets clients move large files
    to and from the artifact store by presigned URLs instead of through the server. `job_execution` is MLflow's own job
    runner, off because it doubles the memory.
    """

    port: Port = 4180
    server_port: Port = 5000
    management_port: Port = 9000
    workers: Annotated[int, Field(ge=1, le=64)] = 4
    job_execution: bool = False
    direct_artifacts: bool = False
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12


class Team(Section):
    """A team: one workspace of the same name, and for each role the identity provider's groups that hold it."""

    name: Name
    roles: Mapping[Role, tuple[Group, ...]]

    @model_validator(mode="after")
    def _someone_belongs(self) -> Self:
        if not any(self.roles.values()):
            raise ValueError("a team needs at least one group in `roles`, for example {editor: [my-group]}")
        return self


class Scaling(Section):
    """How many copies of a served model run, and the CPU use (percent of the request) at which more are started."""

    minimum: Annotated[int, Field(ge=1, le=100)] = 1
    maximum: Annotated[int, Field(ge=1, le=100)] = 1
    cpu_percent: Annotated[int, Field(ge=10, le=95)] = 70

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum ({self.minimum}) must not be greater than maximum ({self.maximum})")
        return self


class Registry(Section):
    """The model registry: aliases that only approvers may move, and whether an author may approve.

    `champion`, `previous-champion` and `staging` are always protected; `protected_aliases` are further ones. With
    `four_eyes`, whoever registered a version cannot be the one who approves it.
    """

    protected_aliases: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")], ...] = ()
    four_eyes: bool = True


class Model(Section):
    """A registered model to serve: `models:/NAME@ALIAS` in the workspace of `team`."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,48}[a-z0-9]$")]
    team: Name
    alias: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    port: Port = 8080
    workers: Annotated[int, Field(ge=1, le=32)] = 2
    scaling: Scaling = Scaling()


class User(Section):
    """A person whom the development identity provider knows; it asks for no password."""

    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
    groups: tuple[Group, ...] = ()


class Local(Section):
    """The local target: ports of the parts that AWS supplies elsewhere, and the seeded users."""

    address: str = "127.0.0.1"
    database_port: Port = 5532
    object_store_port: Port = 5590
    identity_port: Port = 5540
    users: tuple[User, ...] = ()

    @model_validator(mode="after")
    def _loopback_only(self) -> Self:
        try:
            loopback = ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError(f"address {self.address!r} must be a loopback address such as 127.0.0.1")
        return self


class Settings(Section):
    """All settings of one stack."""

    project: str
    stack: str
    target: Literal["local", "aws"] = "local"
    tracking: Tracking = Tracking()
    admins: tuple[Group, ...] = ()
    teams: tuple[Team, ...] = ()
    registry: Registry = Registry()
    models: tuple[Model, ...] = ()
    local: Local | None = None
    aws: Aws | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _unique("teams", [team.name for team in self.teams])
        _unique("models", [model.name for model in self.models])
        names = {team.name for team in self.teams}
        for model in self.models:
            if model.team not in names:
                raise ValueError(
                    f"models: {model.name!r} belongs to team {model.team!r}, which is not one of {sorted(names)}"
                )
        if {"local": self.local, "aws": self.aws}[self.target] is None:
            raise ValueError(f"{self.target}: target {self.target!r} needs this section")
        if self.local is not None:
            self._distinct_ports(self.local)
        return self

    def _distinct_ports(self, local: Local) -> None:
        ports = {
            "tracking.port": self.tracking.port,
            "tracking.server_port": self.tracking.server_port,
            "tracking.management_port": self.tracking.management_port,
            "local.database_port": local.database_port,
            "local.object_store_port": local.object_store_port,
            "local.identity_port": local.identity_port,
            **{f"models.{model.name}.port": model.port for model in self.models},
        }
        for port, count in Counter(ports.values()).items():
            if count > 1:
                users = [key for key, value in ports.items() if value == port]
                raise ValueError(f"port {port} is used twice, by {' and '.join(users)}; give each its own")


def _unique(key: str, names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"{key}: {repeated[0]!r} is defined twice")


def load() -> Settings:
    """The settings of the stack that is being deployed.

    Raises:
        SettingsError: a key is unknown, has the wrong type, or cannot be combined with another.
    """
    project = pulumi.get_project()
    prefix = f"{project}:"
    raw = {
        key.removeprefix(prefix): value
        for key, value in pulumi.runtime.config.CONFIG.get().items()
        if key.startswith(prefix)
    }
    return parse(raw, project=project, stack=pulumi.get_stack())


def parse(raw: Mapping[str, str], *, project: str, stack: str) -> Settings:
    """The settings in `raw`, a stack's configuration as Pulumi hands it over: strings, structures as JSON.

    Raises:
        SettingsError: as `load`.
    """
    values = {key: _decoded(value) for key, value in raw.items()}
    other = "aws" if values.get("target", "local") == "local" else "local"
    if values.pop(other, None):
        target = values.get("target", "local")
        raise SettingsError(f"Pulumi.{stack}.yaml: {other}: target {target!r} does not read this section; remove it")
    try:
        return Settings.model_validate_json(json.dumps({**values, "project": project, "stack": stack}))
    except ValidationError as error:
        lines = [_explain(problem, stack) for problem in error.errors(include_url=False)]
        raise SettingsError("\n".join(lines)) from None


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _explain(problem: Any, stack: str) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    reason = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        reason = "no such setting; check the spelling against infra/settings.py"
    shown = json.dumps(problem["input"], default=str)
    where = f"Pulumi.{stack}.yaml: {key}" if key else f"Pulumi.{stack}.yaml"
    return f"{where} = {shown}: {reason}" if key and len(shown) < 120 else f"{where}: {reason}"
