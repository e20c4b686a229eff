"""Hyperparameter search with nested runs: a parent for the search, a child for each trial, the best one on the parent.

Afterwards: `mlops compare iris-search --metric accuracy --filter "tags.mlflow.parentRunId = 'RUN'" --pictures out`.
"""

from __future__ import annotations

import mlflow
from sklearn.datasets import load_iris
from sklearn.model_selection import ParameterSampler, cross_validate
from sklearn.svm import SVC

EXPERIMENT = "iris-search"
SPACE = {"C": [0.1, 1.0, 10.0, 100.0], "gamma": [0.01, 0.1, 1.0], "kernel": ["rbf", "poly"]}
TRIALS = 6


def main() -> str:
    """Tries `TRIALS` random points of `SPACE`; returns the parent run's id."""
    features, labels = load_iris(return_X_y=True)
    mlflow.set_experiment(EXPERIMENT)
    best: tuple[float, dict[str, object]] = (0.0, {})
    with mlflow.start_run(run_name="search") as parent:
        for number, params in enumerate(ParameterSampler(SPACE, TRIALS, random_state=0)):
            with mlflow.start_run(run_name=f"trial-{number}", nested=True):
                scores = cross_validate(SVC(**params), features, labels, cv=5, scoring=["accuracy", "f1_macro"])
                accuracy = float(scores["test_accuracy"].mean())
                mlflow.log_params(params)
                mlflow.log_metrics({"accuracy": accuracy, "f1_macro": float(scores["test_f1_macro"].mean())})
            best = max(best, (accuracy, params), key=lambda trial: trial[0])
        mlflow.log_params({f"best_{name}": value for name, value in best[1].items()})
        mlflow.log_metric("accuracy", best[0])
    print(f"best of {TRIALS}: accuracy {best[0]:.3f} with {best[1]}")
    return parent.info.run_id


if __name__ == "__main__":
    main()
