"""The held-out dataset that a gate measures on: a CSV or Parquet file with a label column."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pandas as pd

from mlops.errors import PlatformError
from mlops.registry.errors import one_line

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


@dataclass(frozen=True)
class HeldOut:
    """`features`: every column but the label; `labels`: one for each row; `digest`: SHA-256 of the file, in hex."""

    features: pd.DataFrame
    labels: pd.Series
    digest: str
    source: str

    def inputs(self, signature: ModelSignature | None) -> pd.DataFrame:
        """The columns that the model takes; without named inputs, all features."""
        if signature is None or signature.inputs is None or not signature.inputs.has_input_names():
            return self.features
        return self.features[[name for name in signature.inputs.input_names() if name in self.features]]


def read(source: str, label: str) -> HeldOut:
    """The dataset at `source`: a path, or an artifact URI such as `runs:/…/test.parquet`.

    Raises:
        PlatformError: there is no such file, it is empty, or its rows have no label.
    """
    path = Path(source)
    if "://" in source or source.startswith(("runs:/", "models:/", "mlflow-artifacts:/")):
        with one_line():
            path = Path(mlflow.artifacts.download_artifacts(source))
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise PlatformError(f"dataset {source}: {str(error).splitlines()[0]}; expected CSV or Parquet") from None
    if label not in frame:
        raise PlatformError(f"dataset {source} has no label column {label!r}; its columns are {', '.join(frame)}")
    if frame.empty:
        raise PlatformError(f"dataset {source} has no rows")
    missing = int(frame[label].isna().sum())
    if missing:
        raise PlatformError(f"dataset {source}: {missing} of {len(frame)} rows have no {label!r}; label or drop them")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return HeldOut(frame.drop(columns=label), frame[label], digest, source)
