"""Compares 10,000 runs with `mlops compare`'s own functions and with MLflow's client; prints one JSON line.

Against the platform that MLFLOW_TRACKING_URI names. Client time is all time but waiting for the server's answers. The
runs are made once, with `--make`; that takes minutes. `python -m benchmarks.compare --make`
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import requests
from mlflow.entities import Metric, Param

from mlops.search import pictures, runs
from mlops.search.compare import differing, reproduce

EXPERIMENT = "benchmark-compare"
waited = 0.0


def make(count: int) -> None:
    """Makes `count` runs of six parameters and three metrics, as many as are missing."""
    mlflow.set_experiment(EXPERIMENT)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    chosen = random.Random(0)  # noqa: S311

    def one(number: int) -> None:
        run_id = client.create_run(experiment, run_name=f"run-{number}").info.run_id
        params = [Param(f"p{index}", str(chosen.choice([0.1, 0.2, 0.5]))) for index in range(6)]
        metrics = [Metric(key, chosen.random(), 0, 0) for key in ("accuracy", "f1_macro", "loss")]
        client.log_batch(run_id, metrics=metrics, params=params)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(count)))


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` returns, the seconds it took in all, and those without waiting for answers."""
    global waited
    waited = 0.0
    start = time.perf_counter()
    result = work()
    total = time.perf_counter() - start
    return result, total, total - waited


def _ours() -> list[runs.Run]:
    found = runs.find(runs.Query(EXPERIMENT, "accuracy"))
    with tempfile.TemporaryDirectory() as folder:
        pictures.parallel_coordinates(Path(folder) / "p.png", found, differing(found), "accuracy")
    reproduce(found[0])
    return found


def _theirs() -> list[mlflow.entities.Run]:
    order = ["metrics.accuracy DESC"]
    found: list[mlflow.entities.Run] = mlflow.search_runs(
        experiment_names=[EXPERIMENT], order_by=order, max_results=10_000, output_format="list"
    )
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--make", type=int, nargs="?", const=10_000, default=0, help="first make this many runs")
    options = parser.parse_args()
    if options.make:
        make(options.make)
    real = requests.Session.send

    def send(session: requests.Session, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        global waited
        start = time.perf_counter()
        response = real(session, request, **more)
        waited += time.perf_counter() - start
        return response

    requests.Session.send = send  # type: ignore[assignment,method-assign]
    found, total, client = timed(_ours)
    _, their_total, their_client = timed(_theirs)
    result = {
        "runs": len(found),
        "client_s": round(client, 2),
        "total_s": round(total, 2),
        "includes": "search, sort, differing parameters, parallel coordinates",
        "mlflow_search_runs_client_s": round(their_client, 2),
        "mlflow_search_runs_total_s": round(their_total, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
