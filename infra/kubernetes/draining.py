"""How a pod stops without losing a request: who waits how long before it is told to stop.

For a while load balancers and endpoints still send requests to a pod that is to go, so its front container first waits.
The containers behind it wait until the front one has finished its own requests.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.workloads.spec import Container

DEREGISTRATION = 15
"""Seconds that load balancers and endpoints may take to stop sending requests to a pod that is going."""
MARGIN = 5


def wait(container: Container, containers: Sequence[Container]) -> int:
    """Seconds that `container`, one of `containers`, goes on as before when its pod is to go."""
    front = [other for other in containers if other.exposed]
    if container.exposed or not front:
        return DEREGISTRATION
    return DEREGISTRATION + max(other.shutdown_seconds for other in front)


def grace(containers: Sequence[Container]) -> int:
    """Seconds after which the pod of `containers` is killed; enough for every one of them to stop by itself."""
    return max(wait(container, containers) + container.shutdown_seconds for container in containers) + MARGIN
