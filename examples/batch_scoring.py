"""Score a file in batches with whatever version holds an alias, and record which one that was and what it read.

`python examples/batch_scoring.py models:/iris-logistic@champion flowers.csv scored.csv`
"""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow
import pandas as pd

EXPERIMENT = "iris-scoring"
ROWS = 1000


def main(model_uri: str, source: Path, target: Path) -> int:
    """Writes `source` with a column `prediction` to `target`; returns the number of rows."""
    name, _, alias = model_uri.removeprefix("models:/").partition("@")
    version = mlflow.MlflowClient().get_model_version_by_alias(name, alias)
    # by number, so that all batches come from one version even when the alias moves meanwhile
    model = mlflow.pyfunc.load_model(f"models:/{name}/{version.version}")
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=source.stem):
        mlflow.log_params({"model": name, "alias": alias, "version": version.version})
        rows = 0
        for batch in pd.read_csv(source, chunksize=ROWS):
            scored = batch.assign(prediction=model.predict(batch[model.metadata.get_input_schema().input_names()]))
            scored.to_csv(target, mode="a" if rows else "w", header=not rows, index=False)
            rows += len(batch)
        mlflow.log_input(mlflow.data.from_pandas(batch, source=str(source), name=source.stem), context="scoring")
        mlflow.log_metric("rows", rows)
        mlflow.log_artifact(str(target))
    print(f"{rows} rows scored by {name} version {version.version} ({alias})")
    return rows


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
