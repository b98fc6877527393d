"""Adam without momentum (beta 1 = 0) for a matrix of whose rows a step touches few, at their cost.

A row w with gradient g at step t: v <- b^(t - s) v + (1 - b) g^2, w <- w - rate g / (sqrt(v / (1 -
b^t)) + eps), where s is the step that touched it last. That is the dense step on every row, the
others too, which has no gradient there and so moves nothing and only shrinks v by b at each step.
Source: Kingma and Ba, arXiv:1412.6980, algorithm 1. Rows (n, d), gradients sparse.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from identikit.training.eager import Eager

_EPS = 1e-8


class RowAdam(Eager):
    """Steps on the rows that have a gradient; time and traffic do not depend on the others."""

    def __init__(self, params: Iterable[Tensor], lr: float, *, second_moment: float) -> None:
        super().__init__(params, {"lr": lr, "second_moment": second_moment})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step for all parameters that have a gradient."""
        del closure
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._step(p, p.grad.coalesce(), lr=group["lr"], kept=group["second_moment"])

    def _step(self, p: Tensor, gradient: Tensor, *, lr: float, kept: float) -> None:
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros(())
            state["last"] = p.new_zeros(len(p))  # not integers, which loading a state would convert
            state["second_moment"] = torch.zeros_like(p)
        state["step"] += 1
        t = float(state["step"])
        rows, g = gradient.indices()[0], gradient.values()
        faded = kept ** (t - state["last"][rows])[:, None]
        v = state["second_moment"][rows].mul_(faded).addcmul_(g, g, value=1 - kept)
        p.index_add_(0, rows, g / (v / (1 - kept**t)).sqrt_().add_(_EPS), alpha=-lr)
        state["second_moment"][rows] = v
        state["last"][rows] = t
