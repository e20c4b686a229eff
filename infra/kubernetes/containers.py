"""One container of a pod: command, environment, probes, and the confinement that Pod Security `restricted` asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    EnvFromSourceArgs,
    EnvVarArgs,
    HTTPGetActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SecretEnvSourceArgs,
    SecurityContextArgs,
    SleepActionArgs,
    VolumeArgs,
    VolumeMountArgs,
)

from infra.kubernetes import files
from infra.kubernetes.files import Files
from infra.workloads.spec import Container, FileRef, Probe, Text

SCRATCH_LIMIT = "10Gi"
"""Per scratch directory. An artifact that is uploaded through the tracking server lies here on its way to the store."""
STARTUP_PERIOD = 5


def container(spec: Container, image: Text, mounted: Files, *, token: bool, wait: int | None) -> ContainerArgs:
    """`spec` as a container of a pod; `wait` is how many seconds it keeps serving when the pod is to go."""
    mounts = [VolumeMountArgs(name=volume.name, mount_path=_scratch_path(volume.name)) for volume in scratch(spec)]
    if spec.files or spec.secret_files or token:
        mounts.append(VolumeMountArgs(name=f"{spec.name}-files", mount_path=str(files.FOLDER), read_only=True))
    return ContainerArgs(
        name=spec.name,
        image=image,
        image_pull_policy="IfNotPresent",
        command=[_resolved(part) for part in spec.command],
        env=_environment(spec, token),
        env_from=None
        if mounted.secret_env is None
        else [EnvFromSourceArgs(secret_ref=SecretEnvSourceArgs(name=mounted.secret_env))],
        ports=_ports(spec),
        readiness_probe=_probe(spec.readiness),
        liveness_probe=_probe(spec.liveness),
        startup_probe=_startup(spec.liveness or spec.readiness),
        lifecycle=None
        if wait is None
        else LifecycleArgs(pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=wait))),
        resources=_resources(spec),
        security_context=SecurityContextArgs(
            allow_privilege_escalation=False,
            capabilities=CapabilitiesArgs(drop=["ALL"]),
            privileged=False,
            read_only_root_filesystem=True,
        ),
        volume_mounts=mounts,
    )


def scratch(spec: Container) -> Sequence[VolumeArgs]:
    """The empty directories of `spec`, one for each variable of `spec.scratch`."""
    empty = EmptyDirVolumeSourceArgs(size_limit=SCRATCH_LIMIT)
    return [VolumeArgs(name=_scratch_volume(spec, variable), empty_dir=empty) for variable in spec.scratch]


def _scratch_volume(spec: Container, variable: str) -> str:
    return f"{spec.name}-{variable.lower().replace('_', '-')}"


def _scratch_path(volume: pulumi.Input[str]) -> str:
    return f"/scratch/{volume}"


def _environment(spec: Container, token: bool) -> list[EnvVarArgs]:
    paths = {variable: _scratch_path(_scratch_volume(spec, variable)) for variable in spec.scratch}
    if paths:
        paths["TMPDIR"] = next(iter(paths.values()))
    if token:
        paths["MLOPS_TOKEN_FILE"] = files.path(files.TOKEN)
    given = {name: _resolved(value) for name, value in spec.env.items()}
    return [EnvVarArgs(name=name, value=value) for name, value in sorted({**paths, **given}.items())]


def _resolved(value: Text | FileRef) -> Text:
    return f"{value.prefix}{files.path(value.name)}" if isinstance(value, FileRef) else value


def _ports(spec: Container) -> list[ContainerPortArgs]:
    ports = {"http": spec.port if spec.exposed else None, "management": spec.management_port}
    return [ContainerPortArgs(name=name, container_port=port) for name, port in ports.items() if port is not None]


def _probe(probe: Probe | None) -> ProbeArgs | None:
    if probe is None:
        return None
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=probe.path, port=probe.port),
        period_seconds=probe.period,
        timeout_seconds=probe.timeout,
        failure_threshold=probe.failures,
    )


def _startup(probe: Probe | None) -> ProbeArgs | None:
    """Holds the other probes back until the first success, for as long as the start may take."""
    if probe is None:
        return None
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=probe.path, port=probe.port),
        period_seconds=STARTUP_PERIOD,
        timeout_seconds=probe.timeout,
        failure_threshold=math.ceil(probe.startup / STARTUP_PERIOD),
    )


def _resources(spec: Container) -> ResourceRequirementsArgs:
    if spec.resources is None:
        raise ValueError(
            f"container {spec.name!r}: no resources; a cluster needs `Resources(cpu, memory, memory_limit)`"
        )
    limits = {"memory": spec.resources.memory_limit}
    if spec.resources.cpu_limit is not None:
        limits["cpu"] = spec.resources.cpu_limit
    return ResourceRequirementsArgs(
        requests={"cpu": spec.resources.cpu, "memory": spec.resources.memory}, limits=limits
    )
