"""What must hold before a local process is started; checked for every process before any is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

MINIMUM_FREE_BYTES = 512 * 1024**2


def port_taken(port: int, ours: set[int]) -> str | None:
    """Says who listens on `port`, when it is none of our processes."""
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid not in ours:
            return f"port {port} is taken by {_describe(connection.pid)}; stop it, or choose another port in the settings"
    return None


def _describe(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.NoSuchProcess:
        return f"process {pid}"


def disk_full(path: Path) -> str | None:
    """Says so when the file system of `path` has less than 512 MiB free."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < MINIMUM_FREE_BYTES:
        return f"only {free // 1024**2} MiB are free under {existing}; expected at least {MINIMUM_FREE_BYTES // 1024**2} MiB"
    return None
