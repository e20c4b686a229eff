"""The recorded stacks that policies are tested with: the real program's, recorded once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from infra.ephemeral import derive
from infra.recording import Recording, configuration, record
from policies.model import Stack
from policies.recorded import stack as as_stack

NAMES = ("local", "dev", "prod", "pr-7")


@cache
def recording(name: str, unknown: bool = False) -> Recording:
    """What the program registers for a stack; `pr-7` is derived from dev as its pull request would."""
    if name.startswith("pr-"):
        expires = datetime.now(UTC) + timedelta(hours=72)
        return record(name, config=derive(configuration("dev"), name, expires), unknown=unknown)
    return record(name, unknown=unknown)


@cache
def stack(name: str, unknown: bool = False) -> Stack:
    """The stack as policies see it. Never change it: copy it."""
    return as_stack(recording(name, unknown))
