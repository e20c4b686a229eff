"""How fast the local stack comes and goes, how much memory the tracking server takes, and what it lets through.

`python -m benchmarks.local_stack` prints one JSON line; times in seconds, memory in MiB, rates in requests per second.
Memory and rates are compared with stock MLflow (`benchmarks.stock`) in the same run: both servers stand side by side
and take turns under the same load, round by round, so that whatever else the machine does meets both. Nothing here
passes or fails. The issue's targets: warm up <= 60, unchanged up <= 12, down <= 15, memory ratio <= 0.45, rate ratios
>= 0.90.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from benchmarks import load, memory, stock
from tests.platform.local_stack import LocalStack

USER = "grace@example.com"
WORKERS = 4


def main() -> None:
    """Measures, and prints the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=3, help="down and up again (default 3)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each server under load (default 7)")
    parser.add_argument("--seconds", type=float, default=5, help="length of a turn (default 5)")
    parser.add_argument("--clients", type=int, default=8, help="concurrent clients (default 8)")
    options = parser.parse_args()
    with _stack() as stack:
        result = {"machine": _machine(), "mlflow": version("mlflow"), "workers": WORKERS}
        result["lifecycle_s"] = _lifecycle(stack, options.cycles)
        _up(stack)
        with stock.running(stack, WORKERS) as reference:
            result["throughput"] = _throughput(stack, reference, options.rounds, options.seconds, options.clients)
            result["memory_mib"] = _memory(stack, reference)
        result["load_average_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(result))


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


def _machine() -> dict[str, object]:
    return {"cpus": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2), "python": sys.version.split()[0]}


def _lifecycle(stack: LocalStack, cycles: int) -> dict[str, object]:
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


def _throughput(
    stack: LocalStack, reference: stock.Stock, rounds: int, seconds: float, count: int
) -> dict[str, object]:
    identity = {"Authorization": f"Bearer {stack.token(USER)}", "X-MLFLOW-WORKSPACE": "iris"}
    groups = {
        "platform": load.clients(stack.tracking_url, identity, count),
        "stock": load.clients(reference.url, {}, count),
    }
    result: dict[str, object] = {"clients": count, "seconds": seconds, "rounds": rounds}
    for name, request in load.REQUESTS.items():
        for group in groups.values():
            load.drive(group, request, seconds / 2)
        slices: dict[str, list[load.Slice]] = {server: [] for server in groups}
        for turn in range(rounds):
            for server in sorted(groups, reverse=turn % 2 == 1):
                slices[server].append(load.drive(groups[server], request, seconds))
            rates = ", ".join(f"{server} {done[-1].rate:.0f}/s" for server, done in slices.items())
            _say(f"{name}, round {turn + 1} of {rounds}: {rates}")
        ratios = [ours.rate / theirs.rate for ours, theirs in zip(slices["platform"], slices["stock"], strict=True)]
        result[name] = {"ratio": _summary(ratios, 3), **{server: _rates(parts) for server, parts in slices.items()}}
    for group in groups.values():
        for client in group:
            client.close()
    return result


def _rates(slices: Sequence[load.Slice]) -> dict[str, object]:
    return {
        "rate": _summary([each.rate for each in slices], 1),
        "p50_ms": _summary([each.p50 for each in slices], 1),
        "p95_ms": _summary([each.p95 for each in slices], 1),
    }


def _memory(stack: LocalStack, reference: stock.Stock) -> dict[str, object]:
    """Proportional set sizes after the load: the server's whole process tree, and the proxy in front of ours."""
    supervisor, *_ = stack.processes()
    programs = supervisor.children()
    tracking, proxy = (memory.pss(memory.serving(stack.ports[name], programs)) for name in ("mlflow", "tracking"))
    theirs = memory.pss(reference.process)
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
