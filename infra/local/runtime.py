"""Runs workloads as supervised processes on a loopback address: a process a container, `before` to completion."""

from __future__ import annotations

import hashlib
from functools import cache

import pulumi

from infra.local.layout import Layout
from infra.local.process import Process, ProcessArgs
from infra.local.task import Task
from infra.workloads.spec import Container, FileRef, Probe, ScheduledJob, Text, Workload
from tools import catalogue


class LocalRuntime:
    """`infra.contracts.Runtime` for one machine. `after` is what must stand before any workload starts."""

    def __init__(self, layout: Layout, address: str, after: list[pulumi.Resource]) -> None:
        self._layout = layout
        self._address = address
        self._after = after

    def run(self, workload: Workload, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Starts the hidden containers first, the front one when they are ready; see `contracts.Runtime.run`."""
        ready: list[pulumi.Resource] = list(self._after)
        for container in workload.before:
            name = f"{workload.name}-{container.name}"
            task = Task(name, self._arguments(workload, container, None), self._layout, self._options(opts, ready))
            ready = [*ready, task]
        for container in sorted(workload.containers, key=lambda each: each.exposed):
            name = workload.name if container is workload.front else f"{workload.name}-{container.name}"
            probe = container.readiness if workload.awaits_readiness else container.liveness
            process = Process(
                name, self._arguments(workload, container, probe), self._layout, self._options(opts, ready)
            )
            ready = [*ready, process]
        return pulumi.Output.format("http://{0}:{1}", self._address, workload.front.port or 0)

    def schedule(self, job: ScheduledJob, opts: pulumi.ResourceOptions | None = None) -> None:
        """Not offered on one machine: run the job's command when it is wanted."""
        raise NotImplementedError(f"job {job.name!r}: the local target runs no scheduled jobs")

    def _arguments(self, workload: Workload, container: Container, probe: Probe | None) -> ProcessArgs:
        extra: dict[str, Text | FileRef] = {"MLOPS_RELEASE": _release()}
        if workload.token_audience is not None:
            extra["MLOPS_TOKEN_FILE"] = str(self._layout.token(workload.name))
        return ProcessArgs(
            command=container.command,
            env={**container.env, **extra},
            secret_env=container.secret_env,
            files=container.files,
            secret_files=container.secret_files,
            scratch=container.scratch,
            ready=f"http://{self._address}:{probe.port}{probe.path}" if probe else None,
            ready_seconds=probe.startup if probe else 0,
            address=self._address,
            ports=[port for port in (container.port, container.management_port) if port is not None],
            stop_seconds=container.shutdown_seconds,
        )

    @staticmethod
    def _options(opts: pulumi.ResourceOptions | None, after: list[pulumi.Resource]) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=after))


@cache
def _release() -> str:
    """Names the code that the processes run, as an image's digest elsewhere: `up` after an update restarts them."""
    project = catalogue.TOOLS_DIR.parent
    sources = [project / "requirements.lock", *sorted((project / "mlops").rglob("*.py"))]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:12]
