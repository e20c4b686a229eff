"""Names that more than one part of the platform must agree on."""

from __future__ import annotations

NAMESPACE = "mlflow"
AUDIENCE = "mlflow"
"""The audience of every token that the tracking server accepts."""

CLI_CLIENT_ID = "mlops-cli"


def service_account(workload: str) -> str:
    """The `sub` claim of the projected token of a workload: a Kubernetes service account's, on every target."""
    return f"system:serviceaccount:{NAMESPACE}:{workload}"


def serving(model: str) -> str:
    """The workload that serves `model`."""
    return f"serving-{model}"
