"""One control plane for all cluster tests, and each stack's objects applied to it and taken away again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.kubernetes import manifests
from infra.kubernetes.manifests import Manifest
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane
from tests.stacks.conftest import AWS_STACKS, recorded
from tests.support import kubernetes_program
from tools import catalogue

SMALL = "small"
"""Every kind of object that the runtime makes, beside what the stacks make of them."""


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


@pytest.fixture(scope="session", params=[SMALL, *AWS_STACKS])
def objects(request: pytest.FixtureRequest) -> list[Manifest]:
    if request.param == SMALL:
        return kubernetes_program.platform().manifests
    return manifests.of(recorded(request.param))


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane, objects: list[Manifest]) -> Iterator[Cluster]:
    cluster = Cluster(control_plane)
    cluster.define(objects)
    cluster.apply(objects)
    yield cluster
    cluster.delete(objects)
