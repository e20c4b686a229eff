"""Pictures of many runs: parallel coordinates, and the curves of one metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from mlops.search.runs import Run

AXES = 8
DRAWN = 2000
"""So many runs are drawn at most: more lines only hide each other, and take seconds."""

Curve = Sequence[tuple[int, float]]


def parallel_coordinates(path: Path, runs: Sequence[Run], params: Sequence[str], metric: str) -> None:
    """One line a run through its differing parameters (the first `AXES`) to the metric, which gives the colour.

    Of more than `DRAWN` runs, those at even distances in the given order are drawn, the first and the last among them.
    """
    measured = [run for run in runs if math.isfinite(run.metrics.get(metric, math.nan))]
    chosen = np.linspace(0, len(measured) - 1, min(len(measured), DRAWN)).round().astype(int)
    shown = [measured[index] for index in chosen]
    names = [*params[:AXES], metric]
    columns = [_scaled([run.params.get(name, "") for run in shown]) for name in params[:AXES]]
    values = np.array([run.metrics[metric] for run in shown])
    columns.append(_scaled([repr(float(value)) for value in values]))
    points = np.stack(columns, axis=1)
    x = np.arange(len(names))
    figure = Figure(figsize=(2 + 1.4 * len(names), 5), layout="constrained")
    axes = figure.subplots()
    paths = np.stack([np.broadcast_to(x, points.shape), points], axis=2)
    lines = LineCollection(list(paths), linewidths=0.8, alpha=0.6)
    lines.set_array(values)
    axes.add_collection(lines)
    axes.set(xlim=(0, max(len(names) - 1, 1)), ylim=(-0.02, 1.02), xticks=x, yticks=[])
    axes.set_title(f"{len(shown)} of {len(runs)} runs")
    axes.set_xticklabels(names, rotation=30, ha="right")
    for position in x:
        axes.axvline(float(position), color="grey", linewidth=0.6)
    figure.colorbar(lines, label=metric)
    figure.savefig(path, dpi=110)


def curves(path: Path, histories: Mapping[str, Curve], metric: str) -> None:
    """The course of `metric` over its steps, one line for each label in `histories`."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for label, points in histories.items():
        steps, values = zip(*sorted(points), strict=True) if points else ((), ())
        axes.plot(steps, values, label=label, linewidth=1.2, marker="o" if len(points) == 1 else "")
    axes.set(xlabel="step", ylabel=metric)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def _scaled(texts: Sequence[str]) -> np.ndarray:
    """Numbers between 0 and 1: by value when all texts are numbers, otherwise by their order."""
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        order = {text: index for index, text in enumerate(sorted(set(texts)))}
        numbers = np.array([float(order[text]) for text in texts])
    low, high = numbers.min(), numbers.max()
    return np.full(len(numbers), 0.5) if low == high else (numbers - low) / (high - low)
