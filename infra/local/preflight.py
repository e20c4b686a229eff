"""What must hold before a local process is started; checked for every process before any is touched."""

from __future__ import annotations

import errno
import shutil
import socket
from pathlib import Path

import psutil

MINIMUM_FREE_BYTES = 512 * 1024**2


def port_taken(address: str, port: int, ours: set[int]) -> str | None:
    """Says who listens on `address:port`, when it is none of our processes."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return f"{address}:{port} cannot be bound: {error.strerror}"
        else:
            return None
    listener = _listener(port)
    if listener in ours:
        return None
    return f"port {port} is taken by {_describe(listener)}; stop it, or choose another port in the settings"


def _listener(port: int) -> int | None:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    listening = [each for each in connections if each.status == psutil.CONN_LISTEN]
    return next((each.pid for each in listening if each.laddr and each.laddr.port == port), None)


def _describe(pid: int | None) -> str:
    if pid is None:
        return "a process that cannot be named from this account"
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.NoSuchProcess:
        return f"process {pid}"


def disk_full(path: Path) -> str | None:
    """Says so when the file system of `path` has less than 512 MiB free."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < MINIMUM_FREE_BYTES:
        wanted = MINIMUM_FREE_BYTES // 1024**2
        return f"only {free // 1024**2} MiB are free under {existing}; expected at least {wanted} MiB; make room"
    return None
