"""Logs a long metric series through `mlops.training` and point by point with `mlflow.log_metric`; prints one JSON line.

Against the platform that MLFLOW_TRACKING_URI names, both ways in the same run, in interleaved rounds. Point by point is
measured on fewer points, because 100,000 requests take too long; what is compared is points a second.
`python -m benchmarks.logging`
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

import mlflow

from mlops import training


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000, help="points through the helper, over all rounds")
    parser.add_argument("--naive-points", type=int, default=500, help="points one by one, over all rounds")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    batched, naive = [], []
    for number in range(options.rounds):
        count, single = options.points // options.rounds, options.naive_points // options.rounds
        values = [1 / (step + 1) for step in range(count)]
        with training.run("benchmark-logging", f"round-{number}") as log:
            start = time.perf_counter()
            log.series("helper", values)
            log.close()
            batched.append(count / (time.perf_counter() - start))
            start = time.perf_counter()
            for step in range(single):
                mlflow.log_metric("naive", values[step], step=step)
            naive.append(single / (time.perf_counter() - start))
        history = mlflow.MlflowClient().get_metric_history(log.run_id, "helper")
        if len(history) != count:
            raise SystemExit(f"error: {len(history)} of {count} points arrived")
    ratios = [fast / slow for fast, slow in zip(batched, naive, strict=True)]
    result = {
        "points": options.points,
        "helper_points_per_s": round(statistics.median(batched)),
        "naive_points": options.naive_points,
        "naive_points_per_s": round(statistics.median(naive), 1),
        "ratio": round(statistics.median(ratios), 1),
        "ratio_range": [round(min(ratios), 1), round(max(ratios), 1)],
        "rounds": options.rounds,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
