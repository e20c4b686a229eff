"""The platform's tracking server and stock MLflow side by side: they take turns under the same load, round by round."""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks import load, processes, stock
from tests.platform.local_stack import LocalStack

USER, TEAM = "grace@example.com", "iris"
Result = dict[str, Any]


@dataclass(frozen=True)
class Load:
    """`rounds` turns of each server, `seconds` long, with `clients` concurrent clients."""

    rounds: int
    seconds: float
    clients: int


def compared(stack: LocalStack, reference: stock.Stock, how: Load) -> Result:
    """Rates and memory of the two running servers."""
    supervisor, *_ = stack.processes()
    programs = supervisor.children()
    parts = {name: processes.listening(stack.ports[name], programs) for name in ("mlflow", "tracking", "database")}
    identity = {"Authorization": f"Bearer {stack.token(USER)}", "X-MLFLOW-WORKSPACE": TEAM}
    servers = (
        _Server("platform", stack.tracking_url, identity, [parts["tracking"], parts["mlflow"]]),
        _Server("stock", reference.url, {}, [reference.process]),
    )
    for each in (parts["mlflow"], reference.process):
        processes.settle(each)
    return {"throughput": _throughput(parts, servers, how), "memory_mib": _memory(parts, reference)}


@dataclass(frozen=True)
class _Server:
    name: str
    url: str
    headers: Mapping[str, str]
    processes: Sequence[psutil.Process]


def _throughput(parts: Mapping[str, psutil.Process], servers: Sequence[_Server], how: Load) -> Result:
    groups = {server.name: load.clients(server.url, server.headers, how.clients) for server in servers}
    result: Result = dataclasses.asdict(how)
    for name, request in load.REQUESTS.items():
        for group in groups.values():
            load.drive(group, request, how.seconds)
        turns: dict[str, list[_Turn]] = {server.name: [] for server in servers}
        for number in range(how.rounds):
            for server in servers if number % 2 == 0 else reversed(servers):
                measured = [*server.processes, parts["database"]]
                before = processes.cpu_seconds(measured)
                done = load.drive(groups[server.name], request, how.seconds)
                used = processes.cpu_seconds(measured) - before
                turns[server.name].append(_Turn(done.rate, done.p50, done.p95, 1000 * used / done.count))
            rates = ", ".join(f"{server} {done[-1].rate:.0f}/s" for server, done in turns.items())
            say(f"{name}, round {number + 1} of {how.rounds}: {rates}")
        pairs = list(zip(turns["platform"], turns["stock"], strict=True))
        result[name] = {
            "ratio": summary([ours.rate / theirs.rate for ours, theirs in pairs], 3),
            "cpu_ratio": summary([ours.cpu_ms / theirs.cpu_ms for ours, theirs in pairs], 3),
            **{server: _turns(done) for server, done in turns.items()},
        }
    return result


@dataclass(frozen=True)
class _Turn:
    rate: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float


def _turns(turns: Sequence[_Turn]) -> Result:
    return {
        field.name: summary([getattr(turn, field.name) for turn in turns], 1) for field in dataclasses.fields(_Turn)
    }


def _memory(parts: Mapping[str, psutil.Process], reference: stock.Stock) -> Result:
    tracking, proxy, theirs = map(processes.pss, (parts["mlflow"], parts["tracking"], reference.process))
    return {
        "tracking": round(tracking, 1),
        "proxy": round(proxy, 1),
        "stock": round(theirs, 1),
        "ratio": round(tracking / theirs, 3),
        "ratio_with_proxy": round((tracking + proxy) / theirs, 3),
    }


def summary(values: Sequence[float], digits: int) -> dict[str, float]:
    """Median and extremes."""
    ends = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in ends.items()}


def say(progress: str) -> None:
    """Shows progress where it does not mix with the result."""
    print(progress, file=sys.stderr, flush=True)
