"""A gate's result for people: one Markdown page and one picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mlops.registry.checks import Check
from mlops.registry.heldout import HeldOut

PICTURE = "predictions.png"


def write(
    directory: Path, title: str, checks: Sequence[Check], data: HeldOut, predicted: np.ndarray | None
) -> tuple[Path, str]:
    """Writes the page, and the picture when there are predictions; the page's path and its SHA-256, in hex."""
    lines = [
        f"# {title}: {'passed' if all(check.passed for check in checks) else 'failed'}",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {len(data.labels)} rows of `{data.source}` "
        f"(SHA-256 `{data.digest}`).",
        "",
        "| check | value | expected | |",
        "|---|---|---|---|",
        *(f"| {check.name} | {shown(check.value)} | {check.expected} | {_mark(check)} |" for check in checks),
    ]
    if predicted is not None:
        _draw(directory / PICTURE, title, data, predicted)
        lines += ["", f"![Predictions]({PICTURE})"]
    page = directory / "gate.md"
    page.write_text("\n".join(lines) + "\n")
    return page, hashlib.sha256(page.read_bytes()).hexdigest()


def shown(value: float | str) -> str:
    """A value as a person reads it."""
    return value if isinstance(value, str) else f"{value:.4g}"


def _mark(check: Check) -> str:
    return "passed" if check.passed else "**failed**"


def _draw(path: Path, title: str, data: HeldOut, predicted: np.ndarray) -> None:
    from matplotlib.figure import Figure
    from sklearn.metrics import ConfusionMatrixDisplay
    from sklearn.utils.multiclass import type_of_target

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    if type_of_target(data.labels) == "continuous":
        axes.scatter(data.labels, predicted, s=12, alpha=0.6)
        low, high = float(data.labels.min()), float(data.labels.max())
        axes.plot([low, high], [low, high], color="grey", linewidth=1)
        axes.set(xlabel="label", ylabel="prediction")
    else:
        ConfusionMatrixDisplay.from_predictions(data.labels, predicted, ax=axes, colorbar=False)
    axes.set_title(title)
    figure.savefig(path, dpi=110)
