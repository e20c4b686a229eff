"""One control plane for all cluster tests, and each stack's objects applied to it and taken away again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from infra import recording
from infra.kubernetes import manifests
from infra.kubernetes.manifests import Manifest
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane
from tests.support import kubernetes_program
from tools import catalogue

STACKS: dict[str, Callable[[], list[Manifest]]] = {
    "small": lambda: kubernetes_program.platform().manifests,
    "dev": lambda: manifests.of(recording.record("dev")),
    "prod": lambda: manifests.of(recording.record("prod")),
}


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    missing = [tool.name for tool in catalogue.CLUSTER if tool.locate() is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: run `python -m tools install {' '.join(missing)}`")
    control_plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        control_plane.start()
        yield control_plane
    finally:
        control_plane.stop()


@pytest.fixture(scope="session", params=STACKS)
def objects(request: pytest.FixtureRequest) -> list[Manifest]:
    return STACKS[request.param]()


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane, objects: list[Manifest]) -> Iterator[Cluster]:
    cluster = Cluster(control_plane)
    cluster.define(objects)
    cluster.apply(objects)
    yield cluster
    cluster.delete(objects)
