"""Transformers' Trainer with its own MLflow integration, on a tiny model made from a configuration: no download.

The task: does a sequence of numbers contain more sevens than threes?
"""

from __future__ import annotations

import os
import tempfile

import mlflow
import torch
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, EvalPrediction, Trainer, TrainingArguments

EXPERIMENT = "tiny-transformer"
VOCABULARY, LENGTH = 10, 16
CONFIG = BertConfig(
    vocab_size=VOCABULARY,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=LENGTH,
    num_labels=2,
)


class Sequences(Dataset):  # type: ignore[type-arg]
    """`count` random sequences with their label."""

    def __init__(self, count: int, seed: int) -> None:
        made = torch.randint(0, VOCABULARY, (count, LENGTH), generator=torch.Generator().manual_seed(seed))
        self.inputs, self.labels = made, ((made == 7).sum(1) > (made == 3).sum(1)).long()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.inputs[index], "labels": self.labels[index]}


def accuracy(predicted: EvalPrediction) -> dict[str, float]:
    """The share of right answers."""
    return {"accuracy": float((predicted.predictions.argmax(-1) == predicted.label_ids).mean())}


def main() -> str:
    """Trains; the Trainer starts nothing of its own inside our run. Returns the run's id."""
    os.environ["MLFLOW_EXPERIMENT_NAME"] = EXPERIMENT
    mlflow.set_experiment(EXPERIMENT)
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run(run_name="bert-from-config") as run:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=2,
            per_device_train_batch_size=32,
            learning_rate=2e-3,
            eval_strategy="epoch",
            logging_steps=10,
            save_strategy="no",
            report_to=["mlflow"],
            use_cpu=True,
            disable_tqdm=True,
            seed=0,
        )
        trainer = Trainer(
            model=BertForSequenceClassification(CONFIG),
            args=arguments,
            train_dataset=Sequences(1024, seed=0),
            eval_dataset=Sequences(256, seed=1),
            compute_metrics=accuracy,
        )
        trainer.train()
        print(f"accuracy {trainer.evaluate()['eval_accuracy']:.3f}")
    return run.info.run_id


if __name__ == "__main__":
    main()
