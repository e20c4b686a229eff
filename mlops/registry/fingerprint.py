"""What a model version is made of, as one digest that changes when anybody changes an artifact of it.

Runs in the tracking server, which alone may list the bucket. The digest covers where the version came from and every
object's key, size and ETag, so it costs one listing and no download (S3 API reference, ListObjectsV2).
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from typing import Any
from urllib.parse import urlparse

from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion


def fingerprint(version: SqlModelVersion) -> str:
    """The SHA-256, in hex, of the origin and the stored objects of `version`.

    Raises:
        MlflowException: the artifacts are not in S3, or there are none.
    """
    location = version.storage_location or version.source
    objects = _objects(location)
    if not objects:
        raise MlflowException.invalid_parameter_value(
            f"{version.name} version {version.version} has no artifacts at {location}; log the model again"
        )
    content = [version.creation_time, version.source, location, version.run_id, objects]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def _objects(location: str) -> list[list[Any]]:
    client, bucket, prefix = _resolve(location)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix.rstrip("/") + "/")
    found = [item for page in pages for item in page.get("Contents", [])]
    return sorted([item["Key"], item["Size"], item["ETag"]] for item in found)


def _resolve(location: str) -> tuple[Any, str, str]:
    """The S3 client, bucket and prefix of an artifact URI as the tracking server itself would resolve it."""
    from mlflow.server import ARTIFACTS_DESTINATION_ENV_VAR, handlers
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    root, path = location, ""
    if urlparse(location).scheme == "mlflow-artifacts":
        root = os.environ[ARTIFACTS_DESTINATION_ENV_VAR]
        path = handlers._get_workspace_scoped_repo_path_if_enabled(
            handlers._get_proxied_run_artifact_destination_path(location)
        )
    if urlparse(root).scheme != "s3":
        raise MlflowException.invalid_parameter_value(f"{root} is not in S3, where this platform keeps its models")
    repository = S3ArtifactRepository(root)
    bucket, prefix = repository.parse_s3_compliant_uri(root)
    return repository._get_s3_client(), bucket, posixpath.join(prefix, path)
