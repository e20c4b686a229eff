"""Runs workloads on Kubernetes, in a namespace that admits only `restricted` pods and, by default, no traffic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from infra import naming
from infra.kubernetes import images, network
from infra.kubernetes.args import KubernetesRuntimeArgs, Reach
from infra.kubernetes.group import Group, GroupArgs
from infra.workloads.spec import Container, ScheduledJob, Workload


class KubernetesRuntime(pulumi.ComponentResource):
    """`infra.contracts.Runtime` on Kubernetes; `opts` carries the Kubernetes provider."""

    def __init__(self, name: str, args: KubernetesRuntimeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:kubernetes:Runtime", name, None, opts)
        pinned = {key: pulumi.Output.from_input(text).apply(images.pinned) for key, text in args.images.items()}
        self._args = replace(args, images=pinned)
        restricted = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
        namespace = Namespace(
            naming.NAMESPACE,
            metadata=ObjectMetaArgs(name=naming.NAMESPACE, labels=restricted),
            opts=pulumi.ResourceOptions(parent=self),
        )
        refused = NetworkPolicy(
            "default-deny",
            metadata=ObjectMetaArgs(name="default-deny", namespace=naming.NAMESPACE),
            spec=network.nothing(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace]),
        )
        self._ground: list[pulumi.Resource] = [namespace, refused]
        self.register_outputs({})

    def run(self, workload: Workload, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Runs `workload.before` to completion, one after the other, and then its Deployment; see `Runtime.run`."""
        group = self._group(workload.name, (*workload.before, *workload.containers), workload.reaches, opts)
        for container in workload.before:
            group.complete(container, workload.token_audience)
        return group.serve(workload)

    def schedule(self, job: ScheduledJob, opts: pulumi.ResourceOptions | None = None) -> None:
        """Runs `job` as a CronJob; see `Runtime.schedule`."""
        self._group(job.name, (job.container,), job.reaches, opts).repeat(job)

    def complete(
        self,
        name: str,
        container: Container,
        reaches: frozenset[Reach],
        opts: pulumi.ResourceOptions | None = None,
    ) -> pulumi.Output[str]:
        """Runs `container` to completion, again whenever its definition changes, as the service account `name`.

        The output is the Job's name and resolves when the Job has succeeded.
        """
        job = self._group(name, (container,), reaches, opts).complete(container, None)
        return job.metadata.name

    def _group(
        self,
        name: str,
        containers: Sequence[Container],
        reaches: frozenset[Reach],
        opts: pulumi.ResourceOptions | None,
    ) -> Group:
        args = GroupArgs(self._args, containers, reaches, self._ground)
        return Group(name, args, pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self), opts))
