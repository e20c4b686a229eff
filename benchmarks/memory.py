"""Memory of a server: the proportional set size (shared pages divided among their users) of all its processes."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

MIB = 2**20


def pss(root: psutil.Process) -> float:
    """MiB of `root` and everything below it."""
    return float(sum(process.memory_full_info().pss for process in tree(root))) / MIB


def tree(root: psutil.Process) -> list[psutil.Process]:
    """`root` and its descendants."""
    return [root, *root.children(recursive=True)]


def serving(port: int, among: Iterable[psutil.Process]) -> psutil.Process:
    """The process of `among` that itself, or one of whose descendants, listens on `port`.

    Raises:
        LookupError: none does.
    """
    for root in among:
        if any(_listens(process, port) for process in tree(root)):
            return root
    raise LookupError(f"no process of the stack listens on port {port}")


def _listens(process: psutil.Process, port: int) -> bool:
    connections = process.net_connections("tcp")
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections)
