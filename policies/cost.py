"""What a stack costs a month at least, by the price file of `infra.cost`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies import tokens
from policies.capacity import nodes, requested_cpus
from policies.model import Stack, items

CPUS = {"medium": 2, "large": 2, "xlarge": 4}
"""CPUs of an instance by size; 4 x N for Nxlarge."""


def monthly(stack: Stack) -> float | None:
    """USD a month with little use; None for a stack whose price is not in the price file.

    The nodes counted are those that the pods' requests need at their smallest number of copies.
    """
    from infra.cost import bill
    from infra.recording import Recording, Resource

    pool = _nodes(stack)
    if pool is None:
        return None
    resources = tuple(
        Resource(type=each.type, name=each.name, urn=each.urn, inputs=each.inputs, parent="")
        for each in stack.resources
    )
    try:
        return bill(Recording(stack.name, resources, {}), pool).total.low
    except KeyError:
        return None


def _nodes(stack: Stack) -> Mapping[str, Any] | None:
    """The cluster's nodes as `infra.cost.bill` wants them, read from the node pool."""
    for pool in stack.of(tokens.NODE_POOL):
        wanted = {each.get("key"): each.get("values") for each in items(pool.every("spec.template.spec.requirements"))}
        sizes, families = wanted.get("eks.amazonaws.com/instance-size"), wanted.get("eks.amazonaws.com/instance-family")
        if sizes and families:
            return {
                "expected": nodes(requested_cpus(stack), cpus(str(sizes[0]))),
                "size": sizes[0],
                "families": families,
                "capacity": (wanted.get("karpenter.sh/capacity-type") or ["on-demand"])[0],
            }
    return None


def cpus(size: str) -> int:
    """CPUs of an instance size such as large or 4xlarge."""
    if size in CPUS:
        return CPUS[size]
    times = size.removesuffix("xlarge")
    return 4 * int(times) if times.isdigit() else min(CPUS.values())
