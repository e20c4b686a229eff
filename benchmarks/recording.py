"""How long it takes to record a stack, imports included: `python -m benchmarks.recording prod`. One JSON line.

Each round is a process of its own, since imports are most of it. The first round may compile the SDK's modules and is
reported apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

TARGET_SECONDS = 6.0
PROGRAM = """
import time
start, cpu = time.perf_counter(), time.process_time()
from infra.recording import record
resources = len(record({stack!r}).resources)
print(time.perf_counter() - start, time.process_time() - cpu, resources)
"""


def main() -> None:
    """Runs the rounds and prints the line."""
    parser = argparse.ArgumentParser(description="Time the recording of a stack.")
    parser.add_argument("stack", nargs="?", default="prod")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rounds = [_round(arguments.stack) for _ in range(arguments.rounds + 1)]
    (first, _, resources), *warm = rounds
    seconds = [elapsed for elapsed, _, _ in warm]
    print(
        json.dumps(
            {
                "benchmark": "recording",
                "stack": arguments.stack,
                "resources": resources,
                "first_seconds": round(first, 2),
                "median_seconds": round(statistics.median(seconds), 2),
                "worst_seconds": round(max(seconds), 2),
                "median_cpu_seconds": round(statistics.median(cpu for _, cpu, _ in warm), 2),
                "rounds": arguments.rounds,
                "bytecode_cached": not sys.flags.dont_write_bytecode,
                "target_seconds": TARGET_SECONDS,
                "met": statistics.median(seconds) <= TARGET_SECONDS,
            }
        )
    )


def _round(stack: str) -> tuple[float, float, int]:
    program = [sys.executable, "-c", PROGRAM.format(stack=stack)]
    elapsed, cpu, resources = subprocess.run(program, check=True, capture_output=True, text=True).stdout.split()
    return float(elapsed), float(cpu), int(resources)


if __name__ == "__main__":
    main()
