"""The labels that tie a workload's objects together, and that others may rely on."""

from __future__ import annotations

ACCESS = "mlflow-platform/access"
"""A namespace with this label set to "true" may call the front port of every workload."""

NAME = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"


def selector(name: str, component: str) -> dict[str, str]:
    """Picks the pods of one part of the workload `name`: its server, or one of its jobs."""
    return {NAME: name, COMPONENT: component}


def of(name: str, component: str) -> dict[str, str]:
    """All labels of an object."""
    return {**selector(name, component), "app.kubernetes.io/part-of": "mlflow-platform"}
