"""How many copies of a workload run: within its scaling, and never fewer than it can lose."""

from __future__ import annotations

from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscalerBehaviorArgs,
    HorizontalPodAutoscalerSpecArgs,
    HPAScalingRulesArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudgetSpecArgs

from infra.kubernetes import labels
from infra.workloads.spec import Scaling

CALM_SECONDS = 300
"""How long the load stays low before copies are taken away."""


def grows(scaling: Scaling) -> bool:
    """Whether the number of copies follows the load; it is the autoscaler's to say then."""
    return scaling.maximum > scaling.minimum


def autoscaler(name: str, scaling: Scaling) -> HorizontalPodAutoscalerSpecArgs:
    """Keeps the CPU use of the Deployment `name` at the target."""
    return HorizontalPodAutoscalerSpecArgs(
        scale_target_ref=CrossVersionObjectReferenceArgs(api_version="apps/v1", kind="Deployment", name=name),
        min_replicas=scaling.minimum,
        max_replicas=scaling.maximum,
        metrics=[
            MetricSpecArgs(
                type="Resource",
                resource=ResourceMetricSourceArgs(
                    name="cpu",
                    target=MetricTargetArgs(type="Utilization", average_utilization=scaling.cpu_percent),
                ),
            )
        ],
        behavior=HorizontalPodAutoscalerBehaviorArgs(
            scale_down=HPAScalingRulesArgs(stabilization_window_seconds=CALM_SECONDS)
        ),
    )


def disruption_budget(name: str, component: str) -> PodDisruptionBudgetSpecArgs:
    """Lets a node be drained one copy at a time; a pod that is not ready stands in nobody's way."""
    return PodDisruptionBudgetSpecArgs(
        max_unavailable=1,
        selector=LabelSelectorArgs(match_labels=labels.selector(name, component)),
        unhealthy_pod_eviction_policy="AlwaysAllow",
    )
