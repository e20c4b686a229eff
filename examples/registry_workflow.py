"""The registry from Python, as a pipeline would: register, gate on held-out data, approve, promote, look back.

Two identities take part: with four eyes on, who registered a version cannot approve it. Each step is a command as well:
`mlops register | gate | approve | promote | history`.
"""

from __future__ import annotations

from pathlib import Path

import mlflow
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from mlops.registry import gate, heldout
from mlops.registry.client import Registry
from mlops.registry.gatefile import BetterThanChampion, Bounds, GateFile, Latency

EXPERIMENT, MODEL = "iris-registry", "iris-logistic"
GATE = GateFile(
    metrics={"accuracy": Bounds(min=0.90), "f1_macro": Bounds(min=0.85)},
    latency=Latency(p95_ms=2000, repeats=20),
    better_than_champion=BetterThanChampion(metric="f1_macro", margin=0.0),
)


def split() -> list[pd.DataFrame]:
    """Training and held-out flowers, with the label column `target`."""
    frame = load_iris(as_frame=True).frame
    parts: list[pd.DataFrame] = train_test_split(frame, test_size=0.3, random_state=0, stratify=frame["target"])
    return parts


def train_and_register(regularization: float = 1.0) -> int:
    """What a scientist does; returns the new version."""
    train = split()[0]
    features, labels = train.drop(columns="target"), train["target"]
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run():
        mlflow.log_param("C", regularization)
        model = LogisticRegression(C=regularization, max_iter=500).fit(features, labels)
        logged = mlflow.sklearn.log_model(model, name="model", input_example=features.head(2))
    description = f"Logistic regression, C={regularization:g}"
    return int(Registry().register(logged.model_uri, MODEL, description, {"data": "iris"}).version)


def release(version: int, held_out: Path) -> bool:
    """What an approver, or a pipeline that holds the role, does; returns whether the version is champion now."""
    split()[1].to_csv(held_out, index=False)
    result = gate.run(MODEL, version, heldout.read(str(held_out), "target"), GATE)
    if not result.passed:
        print(f"version {version} did not pass: {', '.join(result.failed)}; see {result.report}")
        return False
    registry = Registry()
    registry.approve(MODEL, version, reason="all checks passed; reviewed the confusion matrix")
    registry.promote(MODEL, version)
    for entry in registry.history(MODEL)["entries"]:
        print(entry["number"], entry["actor"], entry["action"], entry["version"] or "")
    return True


if __name__ == "__main__":
    print(f"registered version {train_and_register()}; an approver goes on with: mlops gate {MODEL} VERSION …")
