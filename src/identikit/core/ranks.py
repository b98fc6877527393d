"""Processes that train one model together, as `torchrun` starts them; one alone is rank 0 of 1.

All of them call each function here at the same point, or all of them wait.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, distributed


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if _together() else 0


def ranks() -> int:
    """How many there are."""
    return distributed.get_world_size() if _together() else 1


def _together() -> bool:
    return bool(distributed.is_available() and distributed.is_initialized())


def started_by_torchrun() -> bool:
    """Whether this process is one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def joined(device: str) -> Iterator[None]:
    """The processes that torchrun started, connected: by NCCL on CUDA devices, by gloo on CPUs."""
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    store, number, count = next(distributed.rendezvous("env://"))
    # a launcher's store outlives its processes: those it starts again must not read where those
    # that ended had listened
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    distributed.init_process_group(
        "nccl" if device == "cuda" else "gloo",
        store=distributed.PrefixStore(f"identikit, attempt {attempt}", store),
        rank=number,
        world_size=count,
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def agreed(value: int | float) -> int | float:
    """The value that rank 0 has."""
    if ranks() == 1:
        return value
    found = torch.tensor([float(value)], dtype=torch.float64, device=_device())
    distributed.broadcast(found, 0)
    return float(found)


def told(words: Any) -> Any:
    """What rank 0 says to all."""
    if ranks() == 1:
        return words
    held = [words]
    distributed.broadcast_object_list(held, 0)
    return held[0]


def summed(x: Tensor) -> Tensor:
    """The sum over ranks, in place."""
    if ranks() > 1:
        distributed.all_reduce(x)
    return x


def highest(x: Tensor) -> Tensor:
    """The largest over ranks, in place."""
    if ranks() > 1:
        distributed.all_reduce(x, distributed.ReduceOp.MAX)
    return x


def _device() -> torch.device:
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")


@dataclass(frozen=True, slots=True)
class Shard:
    """The rows of something that this rank has, of as many or one fewer on each."""

    start: int
    stop: int
    total: int

    @classmethod
    def of(cls, total: int) -> "Shard":
        """This rank's of so many rows."""
        return cls(rank() * total // ranks(), (rank() + 1) * total // ranks(), total)

    def take(self, whole: Tensor) -> Tensor:
        """This rank's rows of all."""
        return whole[self.start : self.stop]

    def gather(self, own: Tensor) -> Tensor:
        """All rows, of those that each rank has."""
        if ranks() == 1:
            return own
        longest = -(-self.total // ranks())
        padded = own.new_zeros(longest, *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in range(ranks())]
        distributed.all_gather(parts, padded)
        ends = [k * self.total // ranks() for k in range(ranks() + 1)]
        each = zip(parts, pairwise(ends), strict=True)
        return torch.cat([part[: stop - start] for part, (start, stop) in each])


def gathered(own: Tensor) -> Tensor:
    """The rows of all ranks, as many of each; a gradient goes back to a rank's own."""
    return cast(Tensor, _Gathered.apply(own)) if ranks() > 1 else own


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        ctx.split = Shard.of(len(own) * ranks())
        return cast(Shard, ctx.split).gather(own)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return cast(Shard, ctx.split).take(grad)
