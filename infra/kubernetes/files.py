"""A container's texts: where they lie in its file system, and the ConfigMap and Secrets that carry them there.

The objects are immutable and named by Pulumi: a changed text is a new object under a new name, so its pods are replaced
by a rollout, and pods of the old definition keep the old text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import pulumi
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ConfigMapProjectionArgs,
    ProjectedVolumeSourceArgs,
    Secret,
    SecretProjectionArgs,
    ServiceAccountTokenProjectionArgs,
    VolumeArgs,
    VolumeProjectionArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra import naming
from infra.workloads.spec import Container

FOLDER = PurePosixPath("/etc/mlflow-platform")
TOKEN = "token"  # noqa: S105 - a file's name
TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class Files:
    """The names of the objects that carry one container's texts."""

    config_map: pulumi.Output[str] | None = None
    secret: pulumi.Output[str] | None = None
    secret_env: pulumi.Output[str] | None = None


def path(name: str) -> str:
    """Where the container finds its file `name`."""
    return str(FOLDER / name)


def register(owner: str, container: Container, labels: dict[str, str], opts: pulumi.ResourceOptions) -> Files:
    """Registers the objects that carry the texts of `container`, a container of the workload `owner`."""
    metadata = ObjectMetaArgs(namespace=naming.NAMESPACE, labels=labels)
    prefix = f"{owner}-{container.name}"
    config_map = secret = secret_env = None
    if container.files:
        config_map = ConfigMap(f"{prefix}-files", metadata=metadata, data=container.files, immutable=True, opts=opts)
    if container.secret_files:
        secret = Secret(
            f"{prefix}-secret-files", metadata=metadata, string_data=container.secret_files, immutable=True, opts=opts
        )
    if container.secret_env:
        secret_env = Secret(
            f"{prefix}-secret-env", metadata=metadata, string_data=container.secret_env, immutable=True, opts=opts
        )
    return Files(*(None if made is None else made.metadata.name for made in (config_map, secret, secret_env)))


def volume(container: Container, files: Files, token_audience: str | None) -> VolumeArgs | None:
    """The read-only volume of all files of `container`, or None when it has none."""
    sources = []
    if files.config_map is not None:
        sources.append(VolumeProjectionArgs(config_map=ConfigMapProjectionArgs(name=files.config_map)))
    if files.secret is not None:
        sources.append(VolumeProjectionArgs(secret=SecretProjectionArgs(name=files.secret)))
    if token_audience is not None:
        token = ServiceAccountTokenProjectionArgs(audience=token_audience, expiration_seconds=TOKEN_SECONDS, path=TOKEN)
        sources.append(VolumeProjectionArgs(service_account_token=token))
    if not sources:
        return None
    return VolumeArgs(
        name=f"{container.name}-files", projected=ProjectedVolumeSourceArgs(sources=sources, default_mode=0o440)
    )
