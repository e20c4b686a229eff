"""What the processes of a server take: memory, and time on the processors."""

from __future__ import annotations

import time
from collections.abc import Iterable

import psutil

MIB = 2**20


def pss(root: psutil.Process) -> float:
    """MiB of `root` and everything below it: the proportional set size, shared pages divided among their users."""
    return float(sum(process.memory_full_info().pss for process in tree(root))) / MIB


def cpu_seconds(roots: Iterable[psutil.Process]) -> float:
    """Time that `roots` and everything below them, living now, have spent on the processors."""
    times = (process.cpu_times() for root in roots for process in tree(root))
    return float(sum(each.user + each.system for each in times))


def settle(root: psutil.Process, idle: float = 0.1, seconds: float = 180) -> None:
    """Returns once `root` and all below it use less than `idle` processors over two seconds, that is, have started.

    Raises:
        TimeoutError: they do not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before, start = cpu_seconds([root]), time.monotonic()
        time.sleep(2)
        if (cpu_seconds([root]) - before) / (time.monotonic() - start) < idle:
            return
    raise TimeoutError(f"{root.name()} (pid {root.pid}) was still busy after {seconds} s")


def tree(root: psutil.Process) -> list[psutil.Process]:
    """`root` and its descendants."""
    return [root, *root.children(recursive=True)]


def listening(port: int, among: Iterable[psutil.Process]) -> psutil.Process:
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
