"""Point 1: a tracking server of its own, kept running."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.model import Resource, Stack
from policies.rule import Found, ResourcePolicy, StackPolicy, shown
from policies.workloads import containers, is_platform, servers

POINT = "tracking-server"


def _exists(stack: Stack) -> Iterable[Found]:
    if is_platform(stack) and not servers(stack):
        yield None, "nothing runs a tracking server; deploy one with the command `mlops tracking serve`"


exists = StackPolicy(
    "tracking-server-exists",
    POINT,
    "high",
    "The stack has MLflow clients but no tracking server. Deploy one of its own.",
    "https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/",
    _exists,
)


def _dedicated(resource: Resource) -> Iterable[str]:
    found = containers(resource)
    if any(each.is_server for each in found):
        for other in found:
            if not (other.is_server or other.is_proxy or "migrate" in other.command):
                yield f"container {other.name!r} runs beside the tracking server; give it a Deployment of its own"


dedicated = ResourcePolicy(
    "tracking-server-dedicated",
    POINT,
    "medium",
    "Something else shares the tracking server's pod or process, and its faults. Run it as a workload of its own.",
    "https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/",
    tokens.WORKLOADS,
    _dedicated,
)


def _kept_running(resource: Resource) -> Iterable[str]:
    if any(each.is_server for each in containers(resource)):
        replicas = resource.get("spec.replicas")
        if replicas is not None and (not isinstance(replicas, int) or replicas < 1):
            yield f"spec.replicas is {shown(replicas)}; expected at least 1"
        if resource.type == tokens.JOB:
            yield "a Job runs the tracking server; expected a Deployment, which is kept running"


kept_running = ResourcePolicy(
    "tracking-server-kept-running",
    POINT,
    "high",
    "Nothing keeps the tracking server running. Run it as a Deployment with at least one replica.",
    "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/",
    (tokens.DEPLOYMENT, tokens.JOB),
    _kept_running,
)


POLICIES = (
    exists,
    dedicated,
    kept_running,
)
