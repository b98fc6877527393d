"""`torchrun -m tests.objectives.two_ranks`: a few steps of each objective, beside one process."""

from collections.abc import Callable

import torch
from torch import nn

from identikit.core.ranks import Shard, joined, rank, summed
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.objectives.info_nce import InfoNCE
from identikit.objectives.objective import Objective
from identikit.objectives.sharded_head import ShardedHead
from identikit.training.config import TrainingConfig
from identikit.training.optimizers import Optimizers

LABELS, DIM, BATCH, STEPS = 101, 6, 16, 5


def new(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def steps(objective: Objective, *, split: bool) -> tuple[list[float], list[torch.Tensor]]:
    """Losses and weights; if split, each rank sees its half of every batch."""
    torch.manual_seed(0)
    encoder = nn.Linear(8, DIM)
    optimizers = Optimizers(encoder, objective, TrainingConfig(steps=STEPS, optimizer="adam"))
    losses = []
    for step in range(STEPS):
        x = torch.randn(BATCH, 8, generator=new(step))
        label = torch.randint(LABELS, (BATCH // 2,), generator=new(100 + step))
        label = label.repeat_interleave(2)  # pairs, for InfoNCE
        mine = Shard.of(BATCH) if split else Shard(0, BATCH, BATCH)
        y = encoder(mine.take(x))
        loss = objective.loss(y, mine.take(label), generator=new(200 + step))
        (loss + objective.length_penalty(y)).backward()
        for p in encoder.parameters():
            if split and p.grad is not None:
                summed(p.grad)
        optimizers.step(1.0)
        losses.append(loss.item())
    shard = objective.shard()
    own = [p.detach() for p in objective.parameters()]
    return losses, [*encoder.parameters(), *(shard.gather(p) if shard else p for p in own)]


def softmax(negatives: int | None) -> Callable[[bool], Objective]:
    config = HeadConfig(negatives=negatives, group=BATCH)

    def made(split: bool) -> Objective:
        if split:
            return ShardedHead(config, LABELS, DIM, generator=new(1))
        return SoftmaxHead(config, LABELS, DIM, generator=new(1), sparse=True)

    return made


def main() -> None:
    objectives: dict[str, Callable[[bool], Objective]] = {
        "all": softmax(None),
        "infonce": lambda split: InfoNCE(),
        "sampled": softmax(9),
    }
    alone = {name: steps(made(False), split=False) for name, made in objectives.items()}
    with joined("cpu"):
        for name, made in objectives.items():
            for found, whole in zip(steps(made(True), split=True), alone[name], strict=True):
                torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-6)
            if rank() == 0:
                print(name, flush=True)


if __name__ == "__main__":
    main()
