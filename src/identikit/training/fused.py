"""Adam and SGD by torch's fused kernels, without torch.optim around them.

That costs more than the kernels at the sizes of a simulation, and imports torch's compiler, which
takes longer than many a fit. Sources: Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter
2019, arXiv:1711.05101 (weight decay apart from the gradient); Nesterov's momentum as torch has it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


class Optimizer(ABC):
    """Steps for all parameters that have a gradient, each with a state of its own."""

    def __init__(self, params: Iterable[Tensor], rate: float, *, weight_decay: float = 0.0) -> None:
        self.params, self.rate, self.weight_decay = list(params), rate, weight_decay
        self.state = [self._start(p) for p in self.params]

    @torch.no_grad()
    def step(self, rate_share: float) -> None:
        """One step at this share of the rate."""
        moved = [
            (p, p.grad, *state)
            for p, state in zip(self.params, self.state, strict=True)
            if p.grad is not None
        ]
        if moved:
            self._move([list(part) for part in zip(*moved, strict=True)], self.rate * rate_share)

    @abstractmethod
    def _start(self, p: Tensor) -> tuple[Tensor, ...]:
        """The state of a parameter before its first step."""

    @abstractmethod
    def _move(self, parts: Sequence[list[Tensor]], rate: float) -> None:
        """Move parameters, given with their gradients and the parts of their states."""


class Adam(Optimizer):
    """Adam with decoupled weight decay (AdamW); each parameter counts its own steps."""

    def __init__(
        self, params: Iterable[Tensor], rate: float, *, second_moment: float, weight_decay: float
    ) -> None:
        super().__init__(params, rate, weight_decay=weight_decay)
        self.second_moment = second_moment

    def _start(self, p: Tensor) -> tuple[Tensor, ...]:
        return torch.zeros_like(p), torch.zeros_like(p), torch.zeros((), device=p.device)

    def _move(self, parts: Sequence[list[Tensor]], rate: float) -> None:
        params, grads, means, squares, steps = parts
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            params,
            grads,
            means,
            squares,
            [],
            steps,
            lr=rate,
            beta1=0.9,
            beta2=self.second_moment,
            weight_decay=self.weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


class SGD(Optimizer):
    """Steps along the gradient with Nesterov's momentum of 0.9; decay is part of the gradient."""

    def _start(self, p: Tensor) -> tuple[Tensor, ...]:
        return (torch.zeros_like(p),)

    def _move(self, parts: Sequence[list[Tensor]], rate: float) -> None:
        params, grads, buffers = parts
        torch._fused_sgd_(
            params,
            grads,
            buffers,
            weight_decay=self.weight_decay,
            momentum=0.9,
            lr=rate,
            dampening=0.0,
            nesterov=True,
            maximize=False,
            is_first_step=False,
        )
