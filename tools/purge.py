"""Deletes the local stack's state and data, after the stack has been destroyed."""

from __future__ import annotations

import shutil

from tools.catalogue import ToolError
from tools.pulumi_home import state_dir


def purge() -> None:
    """Removes the state directory.

    Raises:
        ToolError: the stack still runs.
    """
    state = state_dir()
    if (state / "run" / "supervisor.sock").exists():
        raise ToolError(f"{state}: the local stack still runs; stop it first with `make down`")
    shutil.rmtree(state, ignore_errors=True)
