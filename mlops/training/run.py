"""A run of a training job: only rank 0 logs, an interrupted run is taken up again, and nothing is lost at the end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Self

import mlflow

from mlops.errors import PlatformError
from mlops.training import origin
from mlops.training.log import Log
from mlops.training.rank import rank

RESUME_TAG = "mlops.resume"


@contextmanager
def run(
    experiment: str,
    name: str | None = None,
    *,
    resume: str | None = None,
    tags: Mapping[str, str] | None = None,
    system_metrics: bool = False,
) -> Iterator[Log]:
    """Starts a run in `experiment` and yields what to log with; on other ranks than 0, a log that does nothing.

    `resume` names the job: the run of an earlier attempt that did not finish is continued instead of a new one begun.
    A launcher that ends the job because another rank died (SIGTERM) leaves a run that is marked FAILED and complete up
    to its last metric; a rank 0 that is killed outright leaves one that `resume` finds.
    """
    if rank() != 0:
        mlflow.autolog(disable=True)
        yield Log(None)
        return
    mlflow.set_experiment(experiment)
    marks = {**origin.tags(), **(tags or {}), **({RESUME_TAG: resume} if resume else {})}
    earlier = _unfinished(experiment, resume) if resume else None
    with (
        _Termination() as termination,
        mlflow.start_run(run_id=earlier, run_name=name, tags=marks, log_system_metrics=system_metrics) as active,
    ):
        log = Log(active.info.run_id)
        try:
            with termination.interrupts():
                yield log
        finally:
            log.close()


def _unfinished(experiment: str, resume: str) -> str | None:
    if "'" in resume:
        raise PlatformError(f"resume={resume!r}: expected a name without quotes")
    found = mlflow.search_runs(
        experiment_names=[experiment],
        filter_string=f"tags.`{RESUME_TAG}` = '{resume}' AND attributes.status != 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
        output_format="list",
    )
    return found[0].info.run_id if found else None


class _Termination:
    """SIGTERM ends the body of `interrupts` as an exception does; while the run is opened and closed it has to wait.

    A launcher sends it just when the death of another rank has made this one close its run.
    """

    def __init__(self) -> None:
        self._interruptible = False
        self._pending: int | None = None

    def __enter__(self) -> Self:
        self._mine = threading.current_thread() is threading.main_thread()
        if self._mine:
            self._before = signal.signal(signal.SIGTERM, self._arrived)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._mine:
            signal.signal(signal.SIGTERM, self._before)
        if self._pending is not None and kind is None:
            raise SystemExit(128 + self._pending)

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """The body that may be interrupted."""
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        if self._interruptible:
            self._interruptible = False
            raise SystemExit(128 + number)
        self._pending = number
