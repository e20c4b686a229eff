"""Measures a model on a held-out dataset, one check for each thing that the gate file asks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from sklearn import metrics

from mlops.errors import PlatformError
from mlops.registry.gatefile import GateFile, Metric
from mlops.registry.heldout import HeldOut

METRICS: Mapping[Metric, Callable[[Any, Any], float]] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1_macro": partial(metrics.f1_score, average="macro", zero_division=0),
    "f1_weighted": partial(metrics.f1_score, average="weighted", zero_division=0),
    "precision_macro": partial(metrics.precision_score, average="macro", zero_division=0),
    "recall_macro": partial(metrics.recall_score, average="macro", zero_division=0),
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "r2": metrics.r2_score,
}
LESS_IS_BETTER = frozenset({"mae", "rmse"})


@dataclass(frozen=True)
class Check:
    """One line of a gate's result."""

    name: str
    value: float | str
    expected: str
    passed: bool


@dataclass(frozen=True)
class Loaded:
    """A model version on this machine: MLflow's pyfunc model and the directory that it was loaded from."""

    model: Any
    directory: Path

    @property
    def signature(self) -> Any:
        """The model's signature, or None."""
        return self.model.metadata.signature

    def predict(self, data: HeldOut) -> np.ndarray:
        """One prediction for each row.

        Raises:
            PlatformError: the model cannot predict this data, or does not give one value a row.
        """
        try:
            predicted = np.asarray(self.model.predict(data.inputs(self.signature)))
        except Exception as error:  # whatever a model's own code raises
            raise PlatformError(f"the model cannot predict {data.source}: {str(error).splitlines()[0]}") from None
        predicted = predicted.reshape(len(predicted), -1)
        if predicted.shape != (len(data.labels), 1):
            raise PlatformError(
                f"the model gives {predicted.shape} for {len(data.labels)} rows of {data.source}; "
                "expected one label a row"
            )
        return predicted[:, 0]


def load(name: str, version: int, directory: Path) -> Loaded:
    """Downloads the version into `directory` and loads it. Loading runs the model's code."""
    directory.mkdir()
    local = mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=str(directory))
    return Loaded(mlflow.pyfunc.load_model(local), Path(local))


def measure(metric: Metric, labels: pd.Series, predicted: np.ndarray) -> float:
    """The metric's value, always finite.

    Raises:
        PlatformError: labels and predictions cannot be compared, or the value is NaN or infinite.
    """
    try:
        value = float(METRICS[metric](labels.to_numpy(), predicted))
    except (ValueError, TypeError) as error:
        raise PlatformError(f"{metric} of these labels and predictions: {str(error).splitlines()[0]}") from None
    if not math.isfinite(value):
        raise PlatformError(f"{metric} is {value}; expected a finite number, look at the predictions")
    return value


def run(
    gate: GateFile, candidate: Loaded, champion: Loaded | None, data: HeldOut
) -> tuple[list[Check], np.ndarray | None]:
    """Every check, and the predictions; without a matching schema the model is not asked to predict."""
    before = list(_before_predicting(gate, candidate, data))
    if any(check.name == "data_schema" and not check.passed for check in before):
        return before, None
    predicted = candidate.predict(data)
    return [*before, *_on_predictions(gate, candidate, champion, data, predicted)], predicted


def _before_predicting(gate: GateFile, candidate: Loaded, data: HeldOut) -> Iterator[Check]:
    if gate.signature:
        present = candidate.signature is not None
        yield Check("signature", "present" if present else "missing", "present", present)
    if gate.data_schema:
        difference = _schema_difference(candidate, data)
        yield Check("data_schema", difference or "matches", "matches", not difference)
    if gate.size_mb is not None:
        size = sum(file.stat().st_size for file in candidate.directory.rglob("*") if file.is_file()) / 1e6
        yield Check("size_mb", size, f"<= {gate.size_mb:g}", size <= gate.size_mb)


def _on_predictions(
    gate: GateFile, candidate: Loaded, champion: Loaded | None, data: HeldOut, predicted: np.ndarray
) -> Iterator[Check]:
    for metric, bounds in gate.metrics.items():
        value = measure(metric, data.labels, predicted)
        wanted = [f">= {bounds.min:g}"] if bounds.min is not None else []
        wanted += [f"<= {bounds.max:g}"] if bounds.max is not None else []
        low, high = -math.inf if bounds.min is None else bounds.min, math.inf if bounds.max is None else bounds.max
        yield Check(metric, value, " and ".join(wanted), low <= value <= high)
    yield from _slices(gate, data, predicted)
    if gate.latency is not None:
        p95 = _p95_ms(candidate, data, gate.latency.repeats)
        yield Check("latency_p95_ms", p95, f"<= {gate.latency.p95_ms:g}", p95 <= gate.latency.p95_ms)
    if gate.better_than_champion is not None and champion is not None:
        metric, margin = gate.better_than_champion.metric, gate.better_than_champion.margin
        sign = -1 if metric in LESS_IS_BETTER else 1
        theirs = measure(metric, data.labels, champion.predict(data))
        gain = sign * (measure(metric, data.labels, predicted) - theirs)
        wish = f">= {margin:g} ({metric} of the champion: {theirs:.4f})"
        yield Check("better_than_champion", gain, wish, gain >= margin)


def _slices(gate: GateFile, data: HeldOut, predicted: np.ndarray) -> Iterator[Check]:
    for part in gate.slices:
        if part.column not in data.features:
            raise PlatformError(
                f"gate file: slice column {part.column!r} is not in {data.source}; "
                f"its columns are {', '.join(data.features)}"
            )
        for value, rows in data.features.groupby(part.column).indices.items():
            if len(rows) >= part.min_rows:
                measured = measure(part.metric, data.labels.iloc[rows], predicted[rows])
                name = f"{part.metric}[{part.column}={value}]"
                yield Check(name, measured, f">= {part.min:g}", measured >= part.min)


def _schema_difference(candidate: Loaded, data: HeldOut) -> str:
    from mlflow.models.utils import _enforce_schema

    signature = candidate.signature
    if signature is None or signature.inputs is None:
        return "the model has no signature"
    try:
        _enforce_schema(data.inputs(signature), signature.inputs, signature.params)
    except MlflowException as error:
        return str(error).splitlines()[0][:300]
    return ""


def _p95_ms(candidate: Loaded, data: HeldOut, repeats: int) -> float:
    row = data.inputs(candidate.signature).head(1)
    times = []
    for _ in range(repeats + 5):
        start = time.perf_counter()
        candidate.model.predict(row)
        times.append((time.perf_counter() - start) * 1000)
    return float(np.percentile(times[5:], 95))
