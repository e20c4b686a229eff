"""Where the local stack keeps what: everything lies under one state directory, readable by its owner only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tools import pulumi_home

SOCKET_PATH_LIMIT = 100
"""Bytes in a Unix socket's path: 107 on Linux, 103 on macOS, less the suffix that supervisor adds while it binds."""


@dataclass(frozen=True)
class Layout:
    """The paths below `root`; `data` is what survives `destroy`."""

    root: Path

    @property
    def data(self) -> Path:
        """Databases, objects and the secrets that unlock them."""
        return self.root / "data"

    @property
    def run(self) -> Path:
        """Sockets, generated configuration, scratch space: made anew by every start."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One rotated log file a process."""
        return self.root / "logs"

    @property
    def socket(self) -> Path:
        """The supervisor's control socket."""
        return self.run / "supervisor.sock"

    def token(self, workload: str) -> Path:
        """The projected identity token of `workload`."""
        return self.run / "tokens" / workload

    def log(self, process: str) -> Path:
        """The log of `process`."""
        return self.logs / f"{process}.log"


def layout() -> Layout:
    """The layout under the project's state directory.

    Raises:
        ValueError: the directory's path is too long for a socket in it.
    """
    found = Layout(pulumi_home.state_dir().resolve())
    if len(os.fsencode(found.socket)) > SOCKET_PATH_LIMIT:
        raise ValueError(
            f"state directory {found.root}: its path is too long for a Unix socket in it (limit {SOCKET_PATH_LIMIT} "
            "bytes); set MLFLOW_PLATFORM_STATE to a shorter directory"
        )
    return found


def private_directory(path: Path) -> Path:
    """Makes `path` and its missing parents, each readable by the owner only."""
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return path
