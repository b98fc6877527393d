"""Optimisers of a fit behind one face: Muon for square hidden matrices, Adam for the rest.

Rows of a head of which a batch touches few are trained by Adam without momentum (`row_adam`).
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from identikit.core.ranks import Shard
from identikit.objectives.objective import Objective
from identikit.training.config import TrainingConfig
from identikit.training.fused import SGD, Adam, Optimizer
from identikit.training.muon import Muon
from identikit.training.row_adam import RowAdam


class Optimizers:
    """All optimisers of an encoder and its head, with rates that move together."""

    def __init__(self, encoder: nn.Module, head: Objective, config: TrainingConfig) -> None:
        matrices = [p for p in encoder.parameters() if config.optimizer == "muon" and _square(p)]
        chosen = {id(p) for p in matrices}
        rest = [p for p in encoder.parameters() if id(p) not in chosen]
        self._head = head
        self._shard, self._split = head.shard(), next(head.parameters(), None)
        sparse = head.sparse_parameters()
        dense = [p for p in head.parameters() if not any(p is other for other in sparse)]
        adam = partial(Adam, second_moment=config.second_moment)
        self._parts: list[Optimizer] = [
            *(
                (SGD if config.optimizer == "sgd" else adam)(
                    params, rate, weight_decay=config.weight_decay
                )
                for params, rate in ((rest, config.rate), (dense, config.head_rate))
            ),
            RowAdam(sparse, config.head_rate, second_moment=config.second_moment),
            Muon(matrices, config.muon_rate, momentum=config.muon_momentum),
        ]

    def step(self, rate_share: float) -> None:
        """One step at this share of the top rates; clears the gradients."""
        for part in self._parts:
            part.step(rate_share)
            for p in part.params:
                if p is self._split and p.grad is not None:
                    self._head.take_back(p.grad)
                p.grad = None

    def state_dict(self) -> list[list[tuple[Tensor, ...]]]:
        """The states of all optimisers, of all ranks' rows."""
        return self._rows_of([part.state for part in self._parts], Shard.gather)

    @torch.no_grad()
    def load_state_dict(self, states: list[list[tuple[Tensor, ...]]]) -> None:
        """Go on from the states of the same optimisers, on however many ranks."""
        for part, state in zip(self._parts, self._rows_of(states, Shard.take), strict=True):
            for own, saved in zip(part.state, state, strict=True):
                for tensor, value in zip(own, saved, strict=True):
                    tensor.copy_(value)

    def _rows_of(
        self,
        states: list[list[tuple[Tensor, ...]]],
        rows: Callable[[Shard, Tensor], Tensor],
    ) -> list[list[tuple[Tensor, ...]]]:
        """The states with other rows of what is kept for rows that are split over ranks."""
        shard = self._shard
        if shard is None:
            return states
        return [
            [
                tuple(
                    rows(shard, value) if p is self._split and value.ndim else value
                    for value in state
                )
                for p, state in zip(part.params, of_part, strict=True)
            ]
            for part, of_part in zip(self._parts, states, strict=True)
        ]


def _square(p: nn.Parameter) -> bool:
    """Whether p is a square matrix or a stack of them."""
    return p.ndim in (2, 3) and p.shape[-1] == p.shape[-2]
