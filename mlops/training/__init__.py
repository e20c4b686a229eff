"""Training helpers: thin, over MLflow's own batch and asynchronous logging."""

from mlops.training.log import Log
from mlops.training.rank import rank
from mlops.training.run import run

__all__ = ["Log", "rank", "run"]
