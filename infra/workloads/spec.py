"""What a workload is, independent of where it runs. A runtime (`contracts.Runtime`) turns it into something that runs.

All containers of a workload share one loopback network and one identity, as in a Kubernetes pod; a runtime on one
machine gives each a process. A command names a file of its container by `FileRef`: only the runtime knows the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi

Text = pulumi.Input[str]


@dataclass(frozen=True)
class FileRef:
    """The path of the file `name` of the same container, wherever the runtime puts it."""

    name: str
    prefix: str = ""


@dataclass(frozen=True)
class Probe:
    """An HTTP GET on loopback that succeeds with a 2xx or 3xx status; all times in seconds."""

    path: str
    port: int
    period: int = 10
    timeout: int = 5
    failures: int = 3
    startup: int = 120
    """How long the first success may take."""


@dataclass(frozen=True)
class Resources:
    """Kubernetes quantities; `cpu_limit` None leaves bursts unthrottled."""

    cpu: str
    memory: str
    memory_limit: str
    cpu_limit: str | None = None


@dataclass(frozen=True)
class Container:
    """One process. `image` is the name of an image of this platform (`tracking`, `serving`, `jobs`, `oauth2-proxy`).

    `files` and `secret_files` map a file's name to its text. `secret_env` and `secret_files` are never shown and never
    part of a command line. `port` is the one it listens on, on loopback unless `exposed`; `management_port` answers
    probes and metric scrapes, asks for no identity, and is for the node and the monitoring only.
    """

    name: str
    image: str
    command: tuple[Text | FileRef, ...]
    env: Mapping[str, Text | FileRef] = field(default_factory=dict)
    secret_env: Mapping[str, Text] = field(default_factory=dict)
    files: Mapping[str, Text] = field(default_factory=dict)
    secret_files: Mapping[str, Text] = field(default_factory=dict)
    port: int | None = None
    management_port: int | None = None
    exposed: bool = False
    readiness: Probe | None = None
    liveness: Probe | None = None
    resources: Resources | None = None
    scratch: tuple[str, ...] = ()
    """Environment variables that receive the path of an empty, writable directory of the container's own."""
    shutdown_seconds: int = 30


@dataclass(frozen=True)
class Scaling:
    """Copies of a workload, and the CPU use (percent of the request) that makes more of them."""

    minimum: int = 1
    maximum: int = 1
    cpu_percent: int = 70


@dataclass(frozen=True)
class Workload:
    """Containers that run together and are kept running.

    `before` are containers that each run to completion, in order, before the workload is (re)started with a changed
    definition. `reaches` names what the workload may open connections to; everything else may be refused.
    `token_audience` asks the runtime for a projected identity token of that audience, whose path it passes to every
    container in `MLOPS_TOKEN_FILE`.
    """

    name: str
    containers: tuple[Container, ...]
    before: tuple[Container, ...] = ()
    scaling: Scaling = Scaling()
    reaches: frozenset[Literal["database", "artifacts", "identity", "tracking"]] = frozenset()
    token_audience: str | None = None
    awaits_readiness: bool = True
    """False where readiness depends on what users do later, such as training a model: `run` waits for life only."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def front(self) -> Container:
        """The one container that others may talk to."""
        (exposed,) = [container for container in self.containers if container.exposed]
        return exposed


@dataclass(frozen=True)
class ScheduledJob:
    """A container that runs to completion on a schedule (five-field cron, UTC)."""

    name: str
    schedule: str
    container: Container
    reaches: frozenset[Literal["database", "artifacts", "identity", "tracking"]] = frozenset()
    token_audience: str | None = None
