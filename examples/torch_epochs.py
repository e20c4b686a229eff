"""PyTorch: metrics of every epoch, a checkpoint when validation improves, the best model at the end.

Needs the optional dependencies of requirements-examples.lock (`make test-examples` makes their environment).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import mlflow
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mlops import training

EXPERIMENT = "iris-torch"
CONFIG = {"hidden": 64, "dropout": 0.1, "learning_rate": 0.01, "epochs": 25, "batch_size": 16, "seed": 0}


def network() -> nn.Module:
    """Four measurements in, a score for each of three species out."""
    hidden = int(CONFIG["hidden"])
    return nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Dropout(CONFIG["dropout"]), nn.Linear(hidden, 3))


def tensors() -> list[torch.Tensor]:
    """Training and validation features, then training and validation labels."""
    features, labels = load_iris(return_X_y=True)
    parts = train_test_split(features, labels, test_size=0.2, random_state=42, stratify=labels)
    return [torch.as_tensor(part, dtype=torch.float32 if part.ndim == 2 else torch.long) for part in parts]


def main() -> str:
    """Trains and logs; returns the run's id."""
    torch.manual_seed(int(CONFIG["seed"]))
    train_x, valid_x, train_y, valid_y = tensors()
    batches = DataLoader(TensorDataset(train_x, train_y), batch_size=int(CONFIG["batch_size"]), shuffle=True)
    model, loss_of = network(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=CONFIG["learning_rate"])
    best = 0.0
    with training.run(EXPERIMENT, "three-layers") as log, tempfile.TemporaryDirectory() as folder:
        log.params(CONFIG)
        checkpoint = Path(folder) / "best.pt"
        for epoch in range(int(CONFIG["epochs"])):
            model.train()
            total = 0.0
            for batch_x, batch_y in batches:
                optimizer.zero_grad()
                loss = loss_of(model(batch_x), batch_y)
                loss.backward()
                optimizer.step()
                total += loss.item()
            model.eval()
            with torch.no_grad():
                accuracy = (model(valid_x).argmax(1) == valid_y).double().mean().item()
            log.metrics({"train_loss": total / len(batches), "val_accuracy": accuracy}, epoch)
            if accuracy > best:
                best = accuracy
                torch.save({"epoch": epoch, "model": model.state_dict()}, checkpoint)
                log.artifact(checkpoint, "checkpoints")
        model.load_state_dict(torch.load(checkpoint, weights_only=True)["model"])
        mlflow.pytorch.log_model(model, name="model", input_example=valid_x[:2].numpy())  # traced, not pickled
    print(f"best validation accuracy {best:.3f}")
    return str(log.run_id)


if __name__ == "__main__":
    main()
