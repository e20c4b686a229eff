"""Which process of a distributed job this is, in the words of whatever launched it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from mlops.errors import PlatformError

VARIABLES = ("RANK", "HOROVOD_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
"""torchrun and most launchers; Horovod; Open MPI; MPICH and Intel MPI; srun, which may have started any of them."""


def rank(environment: Mapping[str, str] = os.environ) -> int:
    """This process's global rank; 0 outside a distributed job.

    An initialized `torch.distributed` is asked first, then the launcher's variables in the order of `VARIABLES`.

    Raises:
        PlatformError: a variable is set to something that is no rank.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        return int(torch.distributed.get_rank())
    for name in VARIABLES:
        text = environment.get(name)
        if text is not None:
            if not text.isdecimal():
                raise PlatformError(f"{name}={text!r}: expected a rank, 0 or more; unset it outside a distributed job")
            return int(text)
    return 0
