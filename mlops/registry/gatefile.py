"""The gate file: what a version has to reach. YAML, every key known, with defaults for a classifier."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mlops.errors import PlatformError

Metric = Literal[
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "f1_weighted",
    "precision_macro",
    "recall_macro",
    "mae",
    "rmse",
    "r2",
]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(_Section):
    """`min` and `max` are inclusive; at least one is needed."""

    min: Finite | None = None
    max: Finite | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("expected min, max or both")
        return self


class Slice(_Section):
    """The rows that share a value of `column`, each such group of at least `min_rows` measured by itself."""

    column: str
    metric: Metric
    min: Finite
    min_rows: Annotated[int, Field(ge=1)] = 10


class Latency(_Section):
    """The 95th percentile of predicting one row, in milliseconds, over `repeats` predictions."""

    p95_ms: Positive
    repeats: Annotated[int, Field(ge=20, le=10_000)] = 100


class BetterThanChampion(_Section):
    """The version must beat the champion on the same data by at least `margin`; 0 means not worse."""

    metric: Metric = "f1_macro"
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class GateFile(_Section):
    """A gate. What is null or empty is not checked."""

    metrics: Mapping[Metric, Bounds] = {"accuracy": Bounds(min=0.90), "f1_macro": Bounds(min=0.85)}
    latency: Latency | None = None
    size_mb: Positive | None = None
    signature: bool = True
    data_schema: bool = True
    slices: tuple[Slice, ...] = ()
    better_than_champion: BetterThanChampion | None = BetterThanChampion()

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of everything this gate asks."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read(path: Path | None) -> GateFile:
    """The gate in `path`, or the default one.

    Raises:
        PlatformError: the file cannot be read, is not YAML, or has a key or value that a gate does not have.
    """
    if path is None:
        return GateFile()
    try:
        return GateFile.model_validate(yaml.safe_load(path.read_text()) or {})
    except OSError as error:
        raise PlatformError(f"gate file {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise PlatformError(f"gate file {path}: not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"]) or "document"
        known = f"; known keys: {', '.join(GateFile.model_fields)}" if problem["type"] == "extra_forbidden" else ""
        raise PlatformError(f"gate file {path}: {key} = {problem['input']!r}: {problem['msg']}{known}") from None
