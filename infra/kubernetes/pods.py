"""A pod: the containers of a workload or of a job with one identity, confined, and spread over zones and nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pulumi_kubernetes.core.v1 import (
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    SeccompProfileArgs,
    TopologySpreadConstraintArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.kubernetes import containers, draining, files, labels
from infra.kubernetes.files import Files
from infra.workloads.spec import Container, Text

USER = 65532
"""The numeric user and group of the platform's images, and of oauth2-proxy's."""


@dataclass(frozen=True)
class Pod:
    """What a pod template is made of. `files` belong to `containers`, one each; `images` are full references."""

    name: str
    component: str
    containers: Sequence[Container]
    files: Sequence[Files]
    images: Mapping[str, Text]
    token_audience: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def server(pod: Pod) -> PodTemplateSpecArgs:
    """The template of a pod that is kept running, and that loses no request when it stops."""
    waits = [draining.wait(container, pod.containers) for container in pod.containers]
    spec = _spec(pod, waits)
    spec.termination_grace_period_seconds = draining.grace(pod.containers)
    spec.topology_spread_constraints = [
        _spread(pod, "topology.kubernetes.io/zone", "DoNotSchedule"),
        _spread(pod, "kubernetes.io/hostname", "ScheduleAnyway"),
    ]
    return PodTemplateSpecArgs(metadata=_metadata(pod), spec=spec)


def job(pod: Pod) -> PodTemplateSpecArgs:
    """The template of a pod that runs to completion, once: trying again is the Job's to do."""
    spec = _spec(pod, [None] * len(pod.containers))
    spec.restart_policy = "Never"
    return PodTemplateSpecArgs(metadata=_metadata(pod), spec=spec)


def _metadata(pod: Pod) -> ObjectMetaArgs:
    return ObjectMetaArgs(
        labels={**pod.labels, **labels.of(pod.name, pod.component)}, annotations=pod.annotations or None
    )


def _spec(pod: Pod, waits: Sequence[int | None]) -> PodSpecArgs:
    token = pod.token_audience is not None
    made = [
        containers.container(spec, pod.images[spec.image], mounted, token=token, wait=wait)
        for spec, mounted, wait in zip(pod.containers, pod.files, waits, strict=True)
    ]
    volumes = [volume for spec in pod.containers for volume in containers.scratch(spec)]
    for spec, mounted in zip(pod.containers, pod.files, strict=True):
        volume = files.volume(spec, mounted, pod.token_audience)
        volumes += [] if volume is None else [volume]
    return PodSpecArgs(
        service_account_name=pod.name,
        automount_service_account_token=False,
        enable_service_links=False,
        security_context=PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=USER,
            run_as_group=USER,
            fs_group=USER,
            fs_group_change_policy="OnRootMismatch",
            seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
        ),
        containers=made,
        volumes=volumes,
    )


def _spread(pod: Pod, topology: str, otherwise: str) -> TopologySpreadConstraintArgs:
    return TopologySpreadConstraintArgs(
        topology_key=topology,
        max_skew=1,
        when_unsatisfiable=otherwise,
        label_selector=LabelSelectorArgs(match_labels=labels.selector(pod.name, pod.component)),
        match_label_keys=["pod-template-hash"],
    )
