"""How many database connections a stack may open and its database accepts, and how many nodes its pods need."""

from __future__ import annotations

import math
import re
from typing import Any

from policies import tokens
from policies.model import Resource, Stack
from policies.workloads import DATABASE_VARIABLES, Container, containers, pod

POOL, OVERFLOW = 5, 10
"""SQLAlchemy's defaults, which MLflow keeps unless MLFLOW_SQLALCHEMYSTORE_POOL_SIZE or _MAX_OVERFLOW is set."""

GIB = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16}
"""Memory of an instance by size; twice as much in the memory-optimized families (r, x), 16 GiB x N for Nxlarge."""

FREE_MEMORY = 0.75
"""The share of the memory that is left of RDS's own processes; with it a db.t4g.micro accepts 84 connections."""


def connections(stack: Stack, server: Container) -> int:
    """The connections that all copies of `server` may open: copies x workers x (pool + overflow), for each database."""
    databases = sum(variable in server.env for variable in DATABASE_VARIABLES)
    pool = _number(server.env.get("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"), POOL)
    overflow = _number(server.env.get("MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW"), OVERFLOW)
    workers = _number(server.env.get("MLOPS_WORKERS"), 4)
    return copies(stack, server.resource) * workers * (pool + overflow) * databases


def copies(stack: Stack, resource: Resource) -> int:
    """The most copies of a workload that may run: its autoscaler's maximum, else its replicas."""
    for scaler in stack.of(tokens.AUTOSCALER):
        if scaler.get("spec.scaleTargetRef.name") == resource.get("metadata.name"):
            return _number(scaler.get("spec.maxReplicas"), 1)
    return _number(resource.get("spec.replicas"), 1)


def max_connections(database: Resource) -> int | None:
    """What the database accepts: as its command says, or by RDS's formula from its instance class; None if unknown."""
    if database.type == tokens.RDS_INSTANCE:
        memory = instance_memory(database.get("instanceClass"))
        return min(5000, int(memory * FREE_MEMORY * 2**30 / 9531392)) if memory else None
    command = " ".join(str(part) for each in containers(database) for part in each.command)
    found = re.search(r"max_connections=(\d+)", command)
    return int(found[1]) if found else None


def instance_memory(instance_class: Any) -> int | None:
    """GiB of an RDS instance class such as db.t4g.medium."""
    found = re.fullmatch(r"db\.([a-z])[a-z0-9]*\.(\d*)(\w+)", str(instance_class))
    if found is None or found[3] not in GIB:
        return None
    return GIB[found[3]] * int(found[2] or 1) * (2 if found[1] in "rx" else 1)


def requested_cpus(stack: Stack) -> float:
    """The CPUs that all long-running pods ask for at their smallest number of copies."""
    total = 0.0
    for deployment in stack.of(tokens.DEPLOYMENT):
        least = _number(deployment.get("spec.replicas"), 1)
        for scaler in stack.of(tokens.AUTOSCALER):
            if scaler.get("spec.scaleTargetRef.name") == deployment.get("metadata.name"):
                least = _number(scaler.get("spec.minReplicas"), 1)
        for container in pod(deployment).get("containers") or ():
            total += least * _cpus(((container.get("resources") or {}).get("requests") or {}).get("cpu"))
    return total


def nodes(cpus: float, per_node: int) -> int:
    """Nodes of `per_node` CPUs for `cpus`, a tenth of each kept for the system."""
    return max(1, math.ceil(cpus / (per_node * 0.9)))


def _cpus(quantity: Any) -> float:
    text = str(quantity or 0)
    return float(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


def _number(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else default
