"""How a workload runs on Kubernetes. Knows nothing of a cloud: what differs between clusters comes in as arguments."""

from infra.kubernetes.args import Destination, KubernetesRuntimeArgs
from infra.kubernetes.runtime import KubernetesRuntime

__all__ = ["Destination", "KubernetesRuntime", "KubernetesRuntimeArgs"]
