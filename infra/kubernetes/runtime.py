"""Runs workloads on Kubernetes, in a namespace that admits only `restricted` pods and, by default, no traffic."""

from __future__ import annotations

import pulumi

from infra.kubernetes.args import KubernetesRuntimeArgs, Reach
from infra.workloads.spec import Container, ScheduledJob, Workload


class KubernetesRuntime(pulumi.ComponentResource):
    """`infra.contracts.Runtime` on Kubernetes; `opts` carries the Kubernetes provider."""

    def __init__(self, name: str, args: KubernetesRuntimeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlflow-platform:kubernetes:Runtime", name, None, opts)
        self.args = args

    def run(self, workload: Workload, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Runs `workload.before` to completion, one after the other, and then its Deployment; see `Runtime.run`."""
        raise NotImplementedError

    def schedule(self, job: ScheduledJob, opts: pulumi.ResourceOptions | None = None) -> None:
        """Runs `job` as a CronJob."""
        raise NotImplementedError

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
        raise NotImplementedError
