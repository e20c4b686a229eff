"""The running platform, brought up once by the real engine: PostgreSQL, S3 gateway, OIDC provider, proxy, MLflow."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform.local_stack import LocalStack


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Gives the test an event loop when an earlier one (`asyncio.run`, playwright) took it away: Pulumi needs one."""
    try:
        asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests that use the shared stack run in one worker, so that it is brought up once."""
    for item in items:
        if "platform" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("platform"))


@pytest.fixture(scope="session")
def platform() -> Iterator[LocalStack]:
    """A stack that tests share: they may add runs and models of their own, and change nothing else."""
    with _stack() as stack:
        stack.up()
        yield stack


@pytest.fixture(scope="module")
def disposable() -> Iterator[LocalStack]:
    """A stack of one test module, which may do to it what it likes; not started yet."""
    with _stack() as stack:
        yield stack


class _stack:
    def __enter__(self) -> LocalStack:
        # not pytest's tmp_path: a socket's path must stay short
        self._directory = Path(tempfile.mkdtemp(prefix="platform-"))
        self._stack = LocalStack.prepare(self._directory)
        return self._stack

    def __exit__(self, *_: object) -> None:
        self._stack.pulumi("destroy", "--yes", check=False)
        for process in self._stack.processes():
            process.kill()
        shutil.rmtree(self._directory, ignore_errors=True)
