"""Data-parallel training on several processes (gloo); rank 0 alone logs, with the loss averaged over all of them.

`torchrun --nproc-per-node 2 examples/distributed.py`
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from sklearn.datasets import load_iris
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mlops import training

EXPERIMENT = "iris-distributed"
EPOCHS = 10


def main() -> None:
    """One process's share; torchrun starts one for each rank."""
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Linear(4, 3))
    features, labels = load_iris(return_X_y=True)
    mine_x = torch.as_tensor(features[rank::world], dtype=torch.float32)
    mine_y = torch.as_tensor(labels[rank::world])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with training.run(EXPERIMENT, f"{world} processes", resume=os.environ.get("TORCHELASTIC_RUN_ID")) as log:
        log.params({"world_size": world, "epochs": EPOCHS})
        for epoch in range(EPOCHS):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(mine_x), mine_y)
            loss.backward()
            optimizer.step()
            everywhere = loss.detach().clone()
            dist.all_reduce(everywhere)
            log.metrics({"train_loss": everywhere.item() / world}, epoch)
        print(f"rank {rank} of {world} {'logged' if log.active else 'kept quiet'}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
