"""How fast the local stack comes and goes, how much memory the tracking server takes, and what it lets through.

`python -m benchmarks.local_stack` prints one JSON line; times in seconds, memory in MiB (PSS after the load), rates in
requests per second, `cpu_ms` in milliseconds of processor time a request takes in the server, its proxy and PostgreSQL.
Memory and rates are compared with stock MLflow (`benchmarks.stock`) in the same run: both servers stand side by side
and take turns under the same load, round by round, so that whatever else the machine does meets both. Nothing here
passes or fails. The issue's targets: warm up <= 60, unchanged up <= 12, down <= 15, memory ratio <= 0.45, rate ratios
>= 0.90.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks import load, processes, stock
from tests.platform.local_stack import LocalStack

USER, TEAM = "grace@example.com", "iris"
WORKERS = 4
Result = dict[str, Any]


def main() -> None:
    """Measures, and prints the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=3, help="down and up again (default 3)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each server under load (default 7)")
    parser.add_argument("--seconds", type=float, default=5, help="length of a turn (default 5)")
    parser.add_argument("--clients", type=int, default=8, help="concurrent clients (default 8)")
    options = parser.parse_args()
    with _stack() as stack:
        result: Result = {"machine": _machine(), "mlflow": version("mlflow"), "workers": WORKERS}
        result["lifecycle_s"] = _lifecycle(stack, options.cycles)
        _up(stack)
        with stock.running(stack, WORKERS) as reference:
            result |= compared(stack, reference, options)
        result["load_average_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(result))


def compared(stack: LocalStack, reference: stock.Stock, options: argparse.Namespace) -> Result:
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
    return {"throughput": _throughput(parts, servers, options), "memory_mib": _memory(parts, reference)}


@dataclass(frozen=True)
class _Server:
    name: str
    url: str
    headers: Mapping[str, str]
    processes: Sequence[psutil.Process]


@contextmanager
def _stack() -> Iterator[LocalStack]:
    directory = Path(tempfile.mkdtemp(prefix="benchmark-"))  # short, because sockets lie in it
    stack = LocalStack.prepare(directory)
    stack.settings["tracking"]["workers"] = WORKERS
    stack.write_settings()
    try:
        yield stack
    finally:
        stack.pulumi("destroy", "--yes", check=False)
        for process in stack.processes():
            process.kill()
        shutil.rmtree(directory, ignore_errors=True)


def _machine() -> Result:
    return {"cpus": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2), "python": sys.version.split()[0]}


def _lifecycle(stack: LocalStack, cycles: int) -> Result:
    first = _timed(lambda: _up(stack))
    times: dict[str, list[float]] = {"up_unchanged": [], "down": [], "up_warm": []}
    for cycle in range(cycles):
        _say(f"down and up again, {cycle + 1} of {cycles}")
        times["up_unchanged"].append(_timed(stack.up))
        times["down"].append(_timed(stack.destroy))
        times["up_warm"].append(_timed(lambda: _up(stack)))
    stack.destroy()
    return {"up_first": round(first, 1), **{name: _summary(values, 1) for name, values in times.items()}}


def _up(stack: LocalStack) -> None:
    """`make up`, until every part answers."""
    stack.up()
    ports = stack.ports
    urls = [f"http://127.0.0.1:{ports['management']}/ready", f"http://127.0.0.1:{ports['tracking']}/ready"]
    urls += [f"{stack.issuer}/.well-known/openid-configuration", f"http://127.0.0.1:{ports['object-store']}/health"]
    urls += [f"http://127.0.0.1:{port}/live" for name, port in ports.items() if name.startswith("serving-")]
    for url in urls:
        stock.answers(url)


def _throughput(parts: Mapping[str, psutil.Process], servers: Sequence[_Server], options: argparse.Namespace) -> Result:
    groups = {server.name: load.clients(server.url, server.headers, options.clients) for server in servers}
    result: Result = {"clients": options.clients, "seconds": options.seconds, "rounds": options.rounds}
    for name, request in load.REQUESTS.items():
        for group in groups.values():
            load.drive(group, request, options.seconds)
        turns: dict[str, list[_Turn]] = {server.name: [] for server in servers}
        for number in range(options.rounds):
            for server in servers if number % 2 == 0 else reversed(servers):
                measured = [*server.processes, parts["database"]]
                before = processes.cpu_seconds(measured)
                done = load.drive(groups[server.name], request, options.seconds)
                used = processes.cpu_seconds(measured) - before
                turns[server.name].append(_Turn(done.rate, done.p50, done.p95, 1000 * used / done.count))
            rates = ", ".join(f"{server} {done[-1].rate:.0f}/s" for server, done in turns.items())
            _say(f"{name}, round {number + 1} of {options.rounds}: {rates}")
        pairs = list(zip(turns["platform"], turns["stock"], strict=True))
        result[name] = {
            "ratio": _summary([ours.rate / theirs.rate for ours, theirs in pairs], 3),
            "cpu_ratio": _summary([ours.cpu_ms / theirs.cpu_ms for ours, theirs in pairs], 3),
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
        field.name: _summary([getattr(turn, field.name) for turn in turns], 1) for field in dataclasses.fields(_Turn)
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


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _summary(values: Sequence[float], digits: int) -> dict[str, float]:
    ends = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in ends.items()}


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
