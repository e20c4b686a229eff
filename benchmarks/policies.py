"""What the policy pack adds to the time of recording prod: `python -m benchmarks.policies` prints one JSON line."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from infra.recording import Recording, record
from policies.checklist import POLICIES
from policies.judge import Violation, judge
from policies.levels import Environment, environment
from policies.recorded import stack

STACK, ROUNDS, LIMIT = "prod", 5, 0.25


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that `work` takes, and what it returns."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def violations_of(recording: Recording, where: Environment) -> list[Violation]:
    """What the pack says about a recording."""
    return list(judge(stack(recording, where), where))


def measure() -> dict[str, Any]:
    """Medians of recording and of judging in turn; the first round, which imports and fills caches, does not count."""
    where = environment(STACK)
    recording_seconds, judging_seconds = [], []
    for round_ in range(ROUNDS + 1):
        seconds, recording = timed(lambda: record(STACK))
        judged, violations = timed(partial(violations_of, recording, where))
        assert violations == []
        if round_:
            recording_seconds.append(seconds)
            judging_seconds.append(judged)
    share = statistics.median(judging_seconds) / statistics.median(recording_seconds)
    return {
        "benchmark": "policies",
        "stack": STACK,
        "resources": len(recording.resources),
        "policies": len(POLICIES),
        "recording_seconds": round(statistics.median(recording_seconds), 3),
        "judging_seconds": round(statistics.median(judging_seconds), 3),
        "added_share": round(share, 3),
        "limit": LIMIT,
        "within_limit": share <= LIMIT,
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
