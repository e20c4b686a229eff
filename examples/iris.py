"""Train a classifier on iris, log everything worth keeping, register the model and ask the served one for a prediction.

Run by `make demo`; on its own: `mlops login`, `eval "$(mlops env --workspace iris)"`, `python examples/iris.py`.
"""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import mlflow
import pandas as pd
from matplotlib import pyplot as plt
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, f1_score
from sklearn.model_selection import train_test_split

EXPERIMENT = "iris-classification"
MODEL = "iris-classifier"
PARAMS = {"n_estimators": 100, "max_depth": 5, "min_samples_split": 2, "random_state": 42}


def split() -> list[pd.DataFrame]:
    """The flowers in two parts, each with its label column `target`: 120 to train on, 30 held out."""
    flowers = load_iris(as_frame=True).frame
    parts: list[pd.DataFrame] = train_test_split(flowers, test_size=0.2, random_state=42, stratify=flowers["target"])
    return parts


def main() -> int:
    """Trains, logs and registers; returns the new version."""
    train, held_out = split()
    train_x, train_y = train.drop(columns="target"), train["target"]
    test_x, test_y = held_out.drop(columns="target"), held_out["target"]
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name="random-forest"):
        mlflow.log_params(PARAMS)
        model = RandomForestClassifier(**PARAMS).fit(train_x, train_y)
        predicted = model.predict(test_x)
        metrics = {
            "accuracy": accuracy_score(test_y, predicted),
            "f1_macro": f1_score(test_y, predicted, average="macro"),
        }
        mlflow.log_metrics(metrics)
        picture = ConfusionMatrixDisplay.from_predictions(test_y, predicted).figure_
        mlflow.log_figure(picture, "plots/confusion_matrix.png")
        plt.close(picture)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(train_x, predicted),
            input_example=test_x.head(2),
            registered_model_name=MODEL,
            skops_trusted_types=["sklearn.tree._tree.Tree"],
        )
    version = int(logged.registered_model_version)
    print(f"{MODEL} version {version}: " + ", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    return version


if __name__ == "__main__":
    main()
