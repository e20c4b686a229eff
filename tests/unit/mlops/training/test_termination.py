"""When SIGTERM may interrupt a training job's run, and when it has to wait."""

from __future__ import annotations

import os
import signal

import pytest

from mlops.training.run import _Termination


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_body_is_interrupted() -> None:
    with pytest.raises(SystemExit) as left, _Termination() as termination, termination.interrupts():
        terminate()
    assert left.value.code == 128 + signal.SIGTERM


def test_closing_is_not_interrupted_and_the_process_leaves_afterwards() -> None:
    closed = False
    with pytest.raises(SystemExit), _Termination() as termination:  # noqa: PT012 - leaves after the block
        with termination.interrupts():
            pass
        terminate()
        closed = True
    assert closed


def test_closing_after_an_error_is_not_interrupted_and_the_error_is_kept() -> None:
    closed = False
    with pytest.raises(RuntimeError, match="connection reset"), _Termination() as termination:  # noqa: PT012
        try:
            with termination.interrupts():
                raise RuntimeError("connection reset by rank 1")
        finally:
            terminate()
            closed = True
    assert closed


def test_the_handler_of_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with _Termination():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
