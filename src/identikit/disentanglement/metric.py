"""The classic scores inside a training loop: batches are kept, ranks joined, then scored once.

None of these scores is a sum over batches, so the state is the codes (n, d) and factors (n, k)
themselves: 10,000 x 64 float32 codes are 2.6 MB. Hand in validation batches, not every step.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Num
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from identikit.core.errors import InputError
from identikit.core.randomness import stream


class ClassicMetric(Metric):
    """One of the classic scores as a `torchmetrics.Metric`.

    >>> import torch
    >>> from identikit.disentanglement import mig
    >>> from identikit.disentanglement.metric import ClassicMetric
    >>> metric = ClassicMetric(mig)
    >>> levels = torch.cartesian_prod(torch.arange(10), torch.arange(10))
    >>> metric.update(levels.float(), levels)
    >>> metric.compute()
    {'score': tensor(1., dtype=torch.float64)}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    codes: list[Tensor]
    factors: list[Tensor]

    def __init__(self, score: Callable[..., Any], *, seed: int = 0, **options: Any) -> None:
        """Choose the score.

        Args:
            score: `mig`, `dci` or any other function of this package.
            seed: Source of its draws, where it draws; the same at every call of `compute`.
            options: Passed on to it.
        """
        super().__init__()
        self._score, self._seed, self._options = score, seed, options
        self.add_state("codes", default=[], dist_reduce_fx="cat")
        self.add_state("factors", default=[], dist_reduce_fx="cat")

    def update(self, codes: Num[Tensor, "b d"], factors: Num[Tensor, "b k"]) -> None:
        """Keep a batch."""
        self.codes.append(codes.detach())
        self.factors.append(factors.detach())

    def result(self) -> Any:
        """The whole result of all batches of this rank, with matrices, variant and status.

        Raises:
            InputError: no batch yet, or codes and factors that the score refuses.
        """
        if len(self.codes) == 0:
            raise InputError("nothing to score: call update with a batch first.")
        options = dict(self._options)
        if "generator" in inspect.signature(self._score).parameters:
            options["generator"] = stream(self._seed, "classic metric")
        return self._score(dim_zero_cat(self.codes), dim_zero_cat(self.factors), **options)

    def compute(self) -> dict[str, Tensor]:
        """The scores alone, over all ranks: every field of the result that is one number."""
        found = self.result()
        values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
        return {
            name: torch.tensor(value, dtype=torch.float64, device=self.device)
            for name, value in values.items()
            if isinstance(value, float)
        }
