"""The AWS target: the parts of the platform that AWS supplies, and the cluster that its workloads run on."""

from infra.aws.foundation import foundation

__all__ = ["foundation"]
