"""Point 12: a served model is watched, scaled, and survives what happens to its node."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.model import Resource, Stack, items
from policies.rule import Expect, Found, ResourcePolicy, StackPolicy, at_least, inputs, shown
from policies.workloads import containers, model_servers, pod, pod_labels, selects

POINT = "serving"
KUBERNETES = "https://kubernetes.io/docs"


def _probed(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        raw = container.raw or {}
        for probe in ("readinessProbe", "livenessProbe"):
            action = raw.get(probe) or {}
            if not any(kind in action for kind in ("httpGet", "grpc", "exec")):
                yield f"container {container.name!r} has no {probe}"
        if container.is_model_server:
            paths = [
                ((raw.get(probe) or {}).get("httpGet") or {}).get("path")
                for probe in ("readinessProbe", "livenessProbe")
            ]
            if paths[0] is not None and paths[0] == paths[1]:
                yield f"container {container.name!r} is restarted while it loads a model: both probes ask {paths[0]}"


probed = ResourcePolicy(
    "containers-probed",
    POINT,
    "high",
    "A hung container keeps getting requests. Give it a readiness and a liveness probe.",
    f"{KUBERNETES}/concepts/configuration/liveness-readiness-startup-probes/",
    (tokens.DEPLOYMENT,),
    _probed,
)


def _served(stack: Stack) -> list[Resource]:
    found = {
        each.resource.urn: each.resource for each in model_servers(stack) if each.resource.type == tokens.DEPLOYMENT
    }
    return list(found.values())


def _autoscaled(stack: Stack) -> Iterable[Found]:
    for deployment in _served(stack):
        name = deployment.get("metadata.name")
        scalers = [each for each in stack.of(tokens.AUTOSCALER) if each.get("spec.scaleTargetRef.name") == name]
        if not scalers:
            yield deployment, "has no HorizontalPodAutoscaler; set the model's scaling.maximum above its minimum"
        elif deployment.get("spec.replicas") is not None:
            yield deployment, "spec.replicas fights with the autoscaler; remove it"


autoscaled = StackPolicy(
    "serving-autoscaled",
    POINT,
    "high",
    "A served model does not grow with its load. Set the model's `scaling` to a range.",
    f"{KUBERNETES}/tasks/run-application/horizontal-pod-autoscale/",
    _autoscaled,
)


def _scales(resource: Resource) -> Iterable[str]:
    least, most = resource.get("spec.minReplicas"), resource.get("spec.maxReplicas")
    if not isinstance(least, int | float) or not isinstance(most, int | float) or most <= least:
        yield f"scales from {shown(least)} to {shown(most)}; expected a range"
    targets = [
        ((each.get("resource") or {}).get("target") or {}).get("averageUtilization")
        for each in items(resource.every("spec.metrics"))
    ]
    if not any(isinstance(target, int | float) and 10 <= target <= 95 for target in targets):
        yield f"its CPU target is {shown(targets or None)}; expected 10 to 95 percent"


scales = ResourcePolicy(
    "autoscaler-scales",
    POINT,
    "high",
    "An autoscaler has no range or no reachable target. Set minimum below maximum and cpu_percent to 10-95.",
    f"{KUBERNETES}/tasks/run-application/horizontal-pod-autoscale/",
    (tokens.AUTOSCALER,),
    _scales,
)
redundant = ResourcePolicy(
    "autoscaler-redundant",
    POINT,
    "medium",
    "One node's failure stops a served model. Set the model's scaling.minimum to 2 or more.",
    "https://docs.aws.amazon.com/eks/latest/best-practices/application.html",
    (tokens.AUTOSCALER,),
    inputs({"spec.minReplicas": at_least(2)}),
)


def _budgeted(stack: Stack) -> Iterable[Found]:
    for deployment in _served(stack):
        labels = pod_labels(deployment)
        if not any(
            each.get("spec.selector.matchLabels") and selects(each.get("spec.selector.matchLabels"), labels)
            for each in stack.of(tokens.DISRUPTION_BUDGET)
        ):
            yield deployment, "no PodDisruptionBudget selects its pods"


budgeted = StackPolicy(
    "serving-disruption-budget",
    POINT,
    "medium",
    "An upgrade of the cluster may stop every copy of a model at once. Add a PodDisruptionBudget.",
    f"{KUBERNETES}/tasks/run-application/configure-pdb/",
    _budgeted,
)
NOTHING_LEFT = Expect("one that leaves pods running", lambda value: value not in (0, "0", "0%", "100%"))
budget_usable = ResourcePolicy(
    "disruption-budget-usable",
    POINT,
    "medium",
    "A disruption budget stops every upgrade, or none. Set maxUnavailable: 1.",
    f"{KUBERNETES}/tasks/run-application/configure-pdb/",
    (tokens.DISRUPTION_BUDGET,),
    inputs({"spec.maxUnavailable": NOTHING_LEFT, "spec.minAvailable": Expect("less than all", lambda v: v != "100%")}),
)


def _spread(resource: Resource) -> Iterable[str]:
    keys = {each.get("topologyKey") for each in items(pod(resource).get("topologySpreadConstraints") or ())}
    if "topology.kubernetes.io/zone" not in keys:
        yield "no topologySpreadConstraint spreads its pods over zones"


spread = ResourcePolicy(
    "pods-spread",
    POINT,
    "medium",
    "All copies may stand in one zone. Add a topologySpreadConstraint on topology.kubernetes.io/zone.",
    "https://docs.aws.amazon.com/eks/latest/best-practices/application.html",
    (tokens.DEPLOYMENT,),
    _spread,
)


def _drained(resource: Resource) -> Iterable[str]:
    spec = pod(resource)
    grace = spec.get("terminationGracePeriodSeconds")
    for container in containers(resource):
        stop = ((container.raw or {}).get("lifecycle") or {}).get("preStop") or {}
        seconds = (stop.get("sleep") or {}).get("seconds", 0)
        if not stop:
            yield (
                f"container {container.name!r} has no preStop, so it stops while the load balancer still sends requests"
            )
        elif not isinstance(grace, int | float) or grace <= seconds:
            yield f"terminationGracePeriodSeconds is {shown(grace)}; expected more than preStop's {seconds}"


drained = ResourcePolicy(
    "pods-drained",
    POINT,
    "medium",
    "Requests fail while a pod stops. Add a preStop sleep, and a terminationGracePeriodSeconds above it.",
    "https://docs.aws.amazon.com/eks/latest/best-practices/load-balancing.html",
    (tokens.DEPLOYMENT,),
    _drained,
)


def _awaited(resource: Resource) -> Iterable[str]:
    if resource.every("ports") and not resource.get("ready"):
        yield "nothing asks whether it is ready; give its container a probe"


awaited = ResourcePolicy(
    "local-processes-awaited",
    POINT,
    "medium",
    "`pulumi up` does not notice that a local process failed to start. Give its container a readiness probe.",
    "https://12factor.net/disposability",
    (tokens.LOCAL_PROCESS,),
    _awaited,
)

POLICIES = (probed, autoscaled, scales, redundant, budgeted, budget_usable, spread, drained, awaited)
