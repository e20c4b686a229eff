"""The rank of a process, as its launcher tells it."""

from __future__ import annotations

import pytest

from mlops.errors import PlatformError
from mlops.training.rank import rank


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 0),
        ({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}, 3),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4"}, 2),
        ({"HOROVOD_RANK": "1"}, 1),
        ({"OMPI_COMM_WORLD_RANK": "5"}, 5),
        ({"SLURM_PROCID": "0", "RANK": "7"}, 7),
    ],
)
def test_each_launcher_is_understood(environment: dict[str, str], expected: int) -> None:
    assert rank(environment) == expected


@pytest.mark.parametrize("text", ["", "one", "-1"])
def test_a_rank_that_is_none_is_named(text: str) -> None:
    with pytest.raises(PlatformError, match="RANK="):
        rank({"RANK": text})
