"""A run of a training job: only rank 0 logs, an interrupted run is taken up again, and nothing is lost at the end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

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
        _terminated_as_exit(),
        mlflow.start_run(run_id=earlier, run_name=name, tags=marks, log_system_metrics=system_metrics) as active,
    ):
        log = Log(active.info.run_id)
        try:
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


@contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """Within the block, SIGTERM ends the process as an exception does, so that what is open gets closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
