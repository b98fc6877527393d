"""Optimisers of a fit behind one face: Muon for square hidden matrices, Adam for the rest.

Rows of a head of which a batch touches few are trained by Adam without momentum (`row_adam`).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from identikit.core.ranks import Shard
from identikit.objectives.objective import Objective
from identikit.training.config import TrainingConfig
from identikit.training.eager import EagerAdam, EagerSGD
from identikit.training.muon import Muon
from identikit.training.row_adam import RowAdam


class Optimizers:
    """All optimisers of an encoder and its head, with rates that move together."""

    def __init__(self, encoder: nn.Module, head: Objective, config: TrainingConfig) -> None:
        matrices = [p for p in encoder.parameters() if config.optimizer == "muon" and _square(p)]
        chosen = {id(p) for p in matrices}
        rest = [p for p in encoder.parameters() if id(p) not in chosen]
        self._shard, self._split = head.shard(), list(head.parameters())
        sparse = head.sparse_parameters()
        dense = [p for p in head.parameters() if not any(p is other for other in sparse)]
        groups = [
            {"params": rest, "lr": config.rate},
            {"params": dense, "lr": config.head_rate},
        ]
        decay = config.weight_decay
        main: torch.optim.Optimizer
        if config.optimizer == "sgd":
            main = EagerSGD(groups, momentum=0.9, nesterov=True, weight_decay=decay, fused=True)
        else:
            main = EagerAdam(
                groups,
                betas=(0.9, config.second_moment),
                weight_decay=decay,
                decoupled_weight_decay=True,
                fused=True,
            )
        self._parts: list[torch.optim.Optimizer] = [main]
        if matrices:
            self._parts.append(Muon(matrices, config.muon_rate, momentum=config.muon_momentum))
        if sparse:
            rows = RowAdam(sparse, config.head_rate, second_moment=config.second_moment)
            self._parts.append(rows)
        self._top_rates = [group["lr"] for group in self._groups()]

    def _groups(self) -> list[dict[str, Any]]:
        """Asked for anew each time: loading a state replaces the groups."""
        return [group for part in self._parts for group in part.param_groups]

    def step(self, rate_share: float) -> None:
        """One step at this share of the top rates; clears the gradients."""
        for group, top in zip(self._groups(), self._top_rates, strict=True):
            group["lr"] = top * rate_share
        for part in self._parts:
            part.step()
            part.zero_grad()

    def state_dict(self) -> list[dict[str, Any]]:
        """The states of all optimisers, of all ranks' rows."""
        return self._rows_of([part.state_dict() for part in self._parts], Shard.gather)

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go on from the states of the same optimisers, on however many ranks."""
        states = self._rows_of(states, Shard.take)
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)

    def _rows_of(
        self, states: list[dict[str, Any]], rows: Callable[[Shard, Tensor], Tensor]
    ) -> list[dict[str, Any]]:
        """The states with other rows of what is kept for rows that are split over ranks."""
        if self._shard is None:
            return states
        params = [p for group in self._parts[0].param_groups for p in group["params"]]
        number = next(k for k, p in enumerate(params) if p is self._split[0])
        first, *others = states
        kept = {
            name: rows(self._shard, value) if value.ndim else value
            for name, value in first["state"].get(number, {}).items()
        }
        own = {number: kept} if kept else {}
        return [first | {"state": first["state"] | own}, *others]


def _square(p: nn.Parameter) -> bool:
    """Whether p is a square matrix or a stack of them."""
    return p.ndim in (2, 3) and p.shape[-1] == p.shape[-2]
