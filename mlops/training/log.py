"""What a training process writes to its run: on rank 0 only, metrics in batches, all of it there by the end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import Metric

from mlops.errors import PlatformError

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.utils.async_logging.run_operations import RunOperations

BATCH = 1000
"""Metrics in one request: the server takes no more (MLflow REST API, Log Batch)."""

PATIENCE_SECONDS = 5.0
"""How long a metric may wait for its batch to fill."""


class Log:
    """Writes to the run `run_id`; with None, on other ranks than 0, every method does nothing.

    Metrics are sent by MLflow's own background thread. `close` returns when all of them have arrived.
    """

    def __init__(self, run_id: str | None) -> None:
        self.run_id = run_id
        self._client = mlflow.MlflowClient()
        self._waiting: list[Metric] = []
        self._sent: list[RunOperations] = []

    @property
    def active(self) -> bool:
        """Whether this process is the one that logs; ask before work that only a log needs, such as saving a model."""
        return self.run_id is not None

    def params(self, params: Mapping[str, Any]) -> None:
        """Logs parameters."""
        if self.active:
            mlflow.log_params(dict(params), run_id=self.run_id)

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Logs one value of each metric at `step`, in the next batch."""
        if self.active:
            now = int(time.time() * 1000)
            self._add([Metric(key, float(value), now, step) for key, value in metrics.items()])

    def series(self, key: str, values: Sequence[float], first_step: int = 0) -> None:
        """Logs a whole series of one metric, one step after the other."""
        if self.active:
            now = int(time.time() * 1000)
            self._add([Metric(key, float(value), now, step) for step, value in enumerate(values, first_step)])

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Logs a file."""
        if self.active:
            mlflow.log_artifact(str(path), folder, run_id=self.run_id)

    def dataset(self, frame: pd.DataFrame, name: str, source: str, context: str = "training") -> None:
        """Records which data the run used: schema, digest and `source`, not the rows themselves."""
        if self.active:
            mlflow.log_input(mlflow.data.from_pandas(frame, source=source, name=name), context=context)

    def close(self) -> None:
        """Sends what is waiting and returns when everything has arrived.

        Raises:
            PlatformError: something did not arrive; the run's metrics are not complete.
        """
        self._send()
        operations, self._sent = self._sent, []
        try:
            for operation in operations:
                operation.wait()
        except Exception as error:  # whatever kept MLflow's background thread from delivering
            raise PlatformError(f"run {self.run_id}: not all metrics arrived: {str(error).splitlines()[0]}") from error

    def _add(self, metrics: list[Metric]) -> None:
        self._waiting += metrics
        overdue = self._waiting and time.time() * 1000 - self._waiting[0].timestamp > PATIENCE_SECONDS * 1000
        if len(self._waiting) >= BATCH or overdue:
            self._send()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            self._sent.append(self._client.log_batch(self.run_id, metrics=batch, synchronous=False))
