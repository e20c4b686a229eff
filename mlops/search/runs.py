"""Finds runs: filtered and sorted by the server, read as plain JSON, because reading is what takes the time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request, verify_rest_response

from mlops.errors import PlatformError
from mlops.registry.errors import one_line

PAGE = 5000


@dataclass(frozen=True)
class Run:
    """One run; a metric is its last value and may be NaN."""

    run_id: str
    name: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Query:
    """Which runs of which experiment, and the metric that sorts them."""

    experiment: str
    metric: str
    descending: bool = True
    where: str = ""
    limit: int = 10_000


def find(query: Query) -> list[Run]:
    """The runs that match, best first; those without a finite value of the metric come last.

    Raises:
        PlatformError: no such experiment, a filter that MLflow does not understand, or no run that matches.
    """
    with one_line():
        experiment = mlflow.get_experiment_by_name(query.experiment)
        if experiment is None:
            raise PlatformError(f"experiment {query.experiment!r} does not exist in this workspace")
        found = [_run(raw) for raw in _raw(query, experiment.experiment_id)]
    if not found:
        raise PlatformError(f"no run in {query.experiment!r} matches {query.where or 'everything'!r}")
    if not any(query.metric in run.metrics for run in found):
        known = sorted({key for run in found[:100] for key in run.metrics})
        raise PlatformError(f"no run has metric {query.metric!r}; they have {', '.join(known) or 'none'}")
    return sorted(found, key=lambda run: _place(run, query))


def _raw(query: Query, experiment_id: str) -> list[dict[str, Any]]:
    uri = mlflow.get_tracking_uri()
    body: dict[str, Any] = {
        "experiment_ids": [experiment_id],
        "filter": query.where,
        "order_by": [f"metrics.`{query.metric}` {'DESC' if query.descending else 'ASC'}"],
    }
    found: list[dict[str, Any]] = []
    while len(found) < query.limit:
        page = {**body, "max_results": min(PAGE, query.limit - len(found))}
        response = http_request(get_default_host_creds(uri), "/api/2.0/mlflow/runs/search", "POST", json=page)
        answer = verify_rest_response(response, "/api/2.0/mlflow/runs/search").json()
        found += answer.get("runs", [])
        if not answer.get("next_page_token"):
            break
        body["page_token"] = answer["next_page_token"]
    return found


def _run(raw: Mapping[str, Any]) -> Run:
    info, data = raw["info"], raw.get("data", {})
    return Run(
        info["run_id"],
        info.get("run_name", ""),
        info.get("status", ""),
        {item["key"]: item.get("value", "") for item in data.get("params", ())},
        {item["key"]: float(item.get("value", 0.0)) for item in data.get("metrics", ())},
        {item["key"]: item.get("value", "") for item in data.get("tags", ())},
    )


def _place(run: Run, query: Query) -> tuple[bool, float]:
    value = run.metrics.get(query.metric, math.nan)
    return (False, -value if query.descending else value) if math.isfinite(value) else (True, 0.0)
