"""Recordings of the stacks, each made once: with everything computed, and as a preview sees it, all ids unknown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import pytest

from infra.ephemeral import derive
from infra.recording import Recording, configuration, record

EXPIRES = datetime(2030, 1, 31, 18, tzinfo=UTC)
AWS_STACKS = ("dev", "prod", "pr-1")


@cache
def recorded(stack: str, unknown: bool = False) -> Recording:
    """The recording of `stack`; `pr-1` is what a pull request would make of dev."""
    config = derive(configuration("dev"), stack, EXPIRES) if stack == "pr-1" else configuration(stack)
    return record(stack, config=config, unknown=unknown)


@pytest.fixture(scope="session", params=AWS_STACKS)
def aws_stack(request: pytest.FixtureRequest) -> Recording:
    """Each AWS stack in turn."""
    return recorded(request.param)


@pytest.fixture(scope="session", params=[(stack, unknown) for stack in AWS_STACKS for unknown in (False, True)])
def any_state(request: pytest.FixtureRequest) -> Recording:
    """Each AWS stack in turn, deployed and in the preview of a new one."""
    return recorded(*request.param)


@pytest.fixture(scope="session", params=["dev", "prod"])
def lasting(request: pytest.FixtureRequest) -> Recording:
    """Each AWS stack whose data must survive."""
    return recorded(request.param)


@pytest.fixture(scope="session")
def prod() -> Recording:
    return recorded("prod")


@pytest.fixture(scope="session")
def ephemeral() -> Recording:
    return recorded("pr-1")


@pytest.fixture(scope="session")
def recorder() -> Callable[..., Recording]:
    return recorded
