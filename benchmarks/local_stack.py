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
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from benchmarks import comparison, stock
from tests.platform.local_stack import LocalStack

WORKERS = 4


def main() -> None:
    """Measures, and prints the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=3, help="down and up again (default 3)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each server under load (default 7)")
    parser.add_argument("--seconds", type=float, default=5, help="length of a turn (default 5)")
    parser.add_argument("--clients", type=int, default=8, help="concurrent clients (default 8)")
    options = parser.parse_args()
    how = comparison.Load(options.rounds, options.seconds, options.clients)
    with _stack() as stack:
        result: comparison.Result = {"machine": _machine(), "mlflow": version("mlflow"), "workers": WORKERS}
        result["lifecycle_s"] = _lifecycle(stack, options.cycles)
        with stock.running(stack, WORKERS) as reference:
            result |= comparison.compared(stack, reference, how)
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


def _machine() -> comparison.Result:
    return {"cpus": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2), "python": sys.version.split()[0]}


def _lifecycle(stack: LocalStack, cycles: int) -> comparison.Result:
    """Leaves the stack up."""
    first = _timed(lambda: _up(stack))
    times: dict[str, list[float]] = {"up_unchanged": [], "down": [], "up_warm": []}
    for cycle in range(cycles):
        comparison.say(f"down and up again, {cycle + 1} of {cycles}")
        times["up_unchanged"].append(_timed(stack.up))
        times["down"].append(_timed(stack.destroy))
        times["up_warm"].append(_timed(lambda: _up(stack)))
    return {"up_first": round(first, 1), **{name: comparison.summary(values, 1) for name, values in times.items()}}


def _up(stack: LocalStack) -> None:
    """`make up`, until every part answers."""
    stack.up()
    ports = stack.ports
    urls = [f"http://127.0.0.1:{ports['management']}/ready", f"http://127.0.0.1:{ports['tracking']}/ready"]
    urls += [f"{stack.issuer}/.well-known/openid-configuration", f"http://127.0.0.1:{ports['object-store']}/health"]
    urls += [f"http://127.0.0.1:{port}/live" for name, port in ports.items() if name.startswith("serving-")]
    for url in urls:
        stock.answers(url)


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
