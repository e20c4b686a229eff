"""One line logs everything: scikit-learn's parameters, metrics, model and dataset, and cross-validation beside them.

`mlops login`, `eval "$(mlops env --workspace iris)"`, then `python examples/autolog.py`.
"""

from __future__ import annotations

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

EXPERIMENT = "iris-autolog"


def main() -> str:
    """Trains with autologging on; returns the run's id."""
    features, labels = load_iris(return_X_y=True, as_frame=True)
    train_x, test_x, train_y, test_y = train_test_split(features, labels, test_size=0.2, random_state=42)
    mlflow.set_experiment(EXPERIMENT)
    mlflow.sklearn.autolog(log_input_examples=True, silent=True)
    try:
        with mlflow.start_run(run_name="scaled-logistic") as run:
            model = make_pipeline(StandardScaler(), LogisticRegression(C=2.0))
            model.fit(train_x, train_y)
            model.score(test_x, test_y)  # autologging records it as a metric of `test_x`
            scores = cross_val_score(model, train_x, train_y, cv=5)
            mlflow.log_metrics({"cv_mean_accuracy": scores.mean(), "cv_std_accuracy": scores.std()})
    finally:
        mlflow.sklearn.autolog(disable=True)
    logged = mlflow.get_run(run.info.run_id).data
    print(f"{len(logged.params)} parameters and {len(logged.metrics)} metrics without a line of logging code")
    return run.info.run_id


if __name__ == "__main__":
    main()
