"""Whether clients may move artifacts to and from S3 themselves, by presigned URLs, or only through the tracking server.

Clients ask the server (`/server-info`). MLflow 3.17 offers presigned URLs whenever its store can make them, whatever
MLFLOW_ENABLE_PROXY_MULTIPART_* say on the server, and then every download uses one. So the store is what decides.
"""

from __future__ import annotations

import os

from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository


class ThroughServer(ArtifactRepository):  # type: ignore[misc]  # mlflow ships no types
    """An S3 store without MLflow's multipart and presigned interfaces: the server neither offers nor makes URLs."""

    def __init__(self, artifact_uri: str, *args: object, **options: object) -> None:
        super().__init__(artifact_uri, *args, **options)
        self._s3 = S3ArtifactRepository(artifact_uri, *args, **options)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        self._s3.log_artifact(local_file, artifact_path)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        self._s3.log_artifacts(local_dir, artifact_path)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        listed: list[FileInfo] = self._s3.list_artifacts(path)
        return listed

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        self._s3._download_file(remote_file_path, local_path)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        self._s3.delete_artifacts(artifact_path)


def install() -> None:
    """Keeps artifacts behind the server unless MLOPS_DIRECT_ARTIFACTS says otherwise; before the first request."""
    if os.environ.get("MLOPS_DIRECT_ARTIFACTS") != "true":
        _artifact_repository_registry.register("s3", ThroughServer)
