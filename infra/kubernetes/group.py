"""The Kubernetes objects of one workload or job: they share a name, an identity and a network policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler
from pulumi_kubernetes.batch.v1 import CronJob, Job
from pulumi_kubernetes.core.v1 import Service, ServiceAccount
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import Ingress, NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from infra import naming
from infra.kubernetes import edge, files, jobs, labels, network, pods, scaling
from infra.kubernetes.args import KubernetesRuntimeArgs, Reach
from infra.kubernetes.pods import Pod
from infra.workloads.spec import Container, Scaling, ScheduledJob, Text, Workload

SERVER = "server"
"""The component label of a workload's long-running pods; a job's is its container's name."""
MIN_READY_SECONDS = 10
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


@dataclass(frozen=True)
class GroupArgs:
    """All containers of the group, what they reach, and what has to be there before any of them starts."""

    runtime: KubernetesRuntimeArgs
    containers: Sequence[Container]
    reaches: frozenset[Reach]
    after: Sequence[pulumi.Resource]


class Group(pulumi.ComponentResource):
    """A service account and a network policy, and then, in the order of the calls, what runs under them."""

    def __init__(self, name: str, args: GroupArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__("mlflow-platform:kubernetes:Group", name, None, opts)
        self._name = name
        self._args = args.runtime
        waited = pulumi.ResourceOptions(depends_on=opts.depends_on)
        self._opts = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self, depends_on=args.after), waited)
        account = ServiceAccount(
            name, metadata=self._metadata(SERVER), automount_service_account_token=False, opts=self._opts
        )
        policy = NetworkPolicy(
            name,
            metadata=self._metadata(SERVER),
            spec=network.policy(name, args.containers, args.reaches, args.runtime),
            opts=self._opts,
        )
        self._follow(account, policy)
        self.register_outputs({})

    def complete(self, container: Container, token_audience: str | None) -> Job:
        """Runs `container` to completion before anything that is made later."""
        pod = self._pod(container.name, (container,), token_audience)
        job = Job(
            f"{self._name}-{container.name}",
            metadata=self._metadata(container.name, f"{self._name}-{container.name}"),
            spec=jobs.job(pods.job(pod)),
            opts=self._with(replace_on_changes=["spec"], delete_before_replace=True),
        )
        self._follow(job)
        return job

    def repeat(self, job: ScheduledJob) -> None:
        """Runs `job` on its schedule."""
        pod = self._pod(job.container.name, (job.container,), job.token_audience)
        CronJob(
            self._name,
            metadata=self._metadata(job.container.name),
            spec=jobs.cron_job(job.schedule, pods.job(pod)),
            opts=self._opts,
        )

    def serve(self, workload: Workload) -> pulumi.Output[str]:
        """Keeps `workload` running; the URL of its front container, once it runs."""
        annotations = None if workload.awaits_readiness else SKIP_AWAIT
        port = _front_port(workload)
        pod = replace(
            self._pod(SERVER, workload.containers, workload.token_audience),
            labels=workload.labels,
            annotations=workload.annotations,
        )
        deployment = Deployment(
            self._name,
            metadata=self._metadata(SERVER, annotations=annotations),
            spec=_deployment(pod, workload.scaling),
            opts=self._opts,
        )
        service = Service(
            self._name,
            metadata=self._metadata(SERVER, annotations=annotations),
            spec=edge.service(self._name, SERVER, port),
            opts=self._opts,
        )
        self._scale(workload.scaling)
        self._follow(deployment, service)
        host = self._args.hosts.get(self._name)
        url = edge.internal_url(self._name, port) if host is None else f"https://{host}"
        opened = service if host is None else self._open(host, workload.front)
        return pulumi.Output.all(deployment.id, opened.id).apply(lambda _: url)

    def _scale(self, wanted: Scaling) -> None:
        PodDisruptionBudget(
            self._name,
            metadata=self._metadata(SERVER),
            spec=scaling.disruption_budget(self._name, SERVER),
            opts=self._opts,
        )
        if scaling.grows(wanted):
            HorizontalPodAutoscaler(
                self._name,
                metadata=self._metadata(SERVER),
                spec=scaling.autoscaler(self._name, wanted),
                opts=self._opts,
            )

    def _open(self, host: str, front: Container) -> Ingress:
        annotations = dict(self._args.ingress_annotations)
        if self._args.health_annotation is not None and front.readiness is not None:
            annotations[self._args.health_annotation] = front.readiness.path
        ingress = Ingress(
            self._name,
            metadata=self._metadata(SERVER, annotations=annotations),
            spec=edge.ingress(self._name, host, self._args.ingress_class),
            opts=self._opts,
        )
        if self._args.publish is not None:
            self._args.publish(host, ingress.status.load_balancer.ingress[0].hostname)
        return ingress

    def _pod(self, component: str, containers: Sequence[Container], token_audience: str | None) -> Pod:
        mounted = [
            files.register(self._name, container, labels.of(self._name, component), self._opts)
            for container in containers
        ]
        return Pod(self._name, component, containers, mounted, self._args.images, token_audience)

    def _metadata(
        self, component: str, name: str | None = None, annotations: Mapping[str, Text] | None = None
    ) -> ObjectMetaArgs:
        return ObjectMetaArgs(
            name=name or self._name,
            namespace=naming.NAMESPACE,
            labels=labels.of(self._name, component),
            annotations=annotations or None,
        )

    def _follow(self, *resources: pulumi.Resource) -> None:
        """Makes everything that comes later wait for `resources`."""
        self._opts = self._with(depends_on=resources)

    def _with(self, **options: Any) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(self._opts, pulumi.ResourceOptions(**options))


def _deployment(pod: Pod, wanted: Scaling) -> DeploymentSpecArgs:
    """Replaces pods one after the other, each only once its successor has been ready for a while."""
    return DeploymentSpecArgs(
        replicas=None if scaling.grows(wanted) else wanted.minimum,
        selector=LabelSelectorArgs(match_labels=labels.selector(pod.name, pod.component)),
        strategy=DeploymentStrategyArgs(
            type="RollingUpdate", rolling_update=RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0)
        ),
        min_ready_seconds=MIN_READY_SECONDS,
        revision_history_limit=3,
        template=pods.server(pod),
    )


def _front_port(workload: Workload) -> int:
    if workload.front.port is None:
        raise ValueError(f"workload {workload.name!r}: its exposed container {workload.front.name!r} has no port")
    return workload.front.port
