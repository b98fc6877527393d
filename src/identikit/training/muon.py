"""Muon: W <- W - rate * polar(G + m B), B <- m B + G, polar by Newton-Schulz iteration.

Source: Jordan et al., *Muon: an optimizer for hidden layers in neural networks* (2024),
with its quintic X <- a X + (b A + c A^2) X, A = X X^T, whose singular values settle
around 1 rather than at 1. Three iterations, not five, lift small singular values less;
training is none the worse. Parameters are square matrices, or stacks of them, (..., w, w);
those of one size share each matrix product.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor

from identikit.training.eager import Eager

A, B, C = 3.4445, -4.7750, 2.0315


class Muon(Eager):
    """Momentum steps that are made orthogonal; for the square matrices of hidden layers."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        *,
        momentum: float,
        iterations: int = 3,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "iterations": iterations})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step for all parameters that have a gradient."""
        del closure
        for group in self.param_groups:
            by_width: dict[int, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_width.setdefault(p.shape[-1], []).append(p)
            for params in by_width.values():
                self._step(params, group)

    def _step(self, params: list[Tensor], group: dict[str, Any]) -> None:
        updates = [self._momentum(p, group["momentum"]) for p in params]
        polar = orthogonalize(torch.cat(updates), iterations=group["iterations"])
        parts = torch.split(polar, [len(u) for u in updates])
        for p, part in zip(params, parts, strict=True):
            p.sub_(part.view_as(p), alpha=group["lr"])

    def _momentum(self, p: Tensor, momentum: float) -> Tensor:
        """Nesterov's look-ahead gradient as a stack (k, w, w)."""
        state, grad = self.state[p], cast(Tensor, p.grad)
        if not state:
            state["momentum"] = torch.zeros_like(p)
        buffer = state["momentum"].mul_(momentum).add_(grad)
        return torch.add(grad, buffer, alpha=momentum).view(-1, *p.shape[-2:])


def orthogonalize(matrices: Tensor, *, iterations: int) -> Tensor:
    """Near-orthogonal polar factors of a stack (k, w, w), singular values about 0.7 to 1.2."""
    x: Tensor = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return x
