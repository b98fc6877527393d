"""Held-out R² of the affine map from h to z as a torchmetrics object, over batches and ranks.

The state is the packed statistics of `moments`, which add up: one pass, constant memory, and
the same numbers however the samples were spread over batches or processes. A fifth of the
samples scores; a ridge penalty is chosen by cross-validation among the others where least
squares overfits, as in `regression`. h is (n, d), z is (n, k).
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from identikit.core.errors import InputError
from identikit.probing import linear
from identikit.probing.moments import FoldMoments, PartMoments, merge
from identikit.probing.regression import Regression, fit_each

PARTS = 6
"""One that scores, five that take turns in choosing the penalty."""
MIX = 2654435761
"""Multiplier of Knuth's hash: neighbouring samples go to different parts."""


class LinearRecovery(Metric):
    """R² of each factor, read out linearly from features, on samples not fitted on.

    Args:
        dim: Columns of h.
        targets: Columns of z.
        **kwargs: Those of `torchmetrics.Metric`.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    packed: Tensor
    rounding: Tensor
    seen: Tensor

    def __init__(self, *, dim: int, targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        empty = PartMoments.empty(parts=PARTS, d=dim, k=targets).packed
        self.add_state("packed", default=empty, dist_reduce_fx=merge)
        nought = torch.zeros((), dtype=torch.float64)
        self.add_state("rounding", default=nought, dist_reduce_fx="max")
        self.add_state("seen", default=torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(
        self,
        h: Float[Tensor, "n d"],
        z: Float[Tensor, "n k"],
        index: Int[Tensor, " n"] | None = None,
    ) -> None:
        """Take in a batch.

        Args:
            h: Features.
            z: Factors of the same samples.
            index: Number of each sample, which decides what part it is in; by order of
                arrival if not given. Give it where one sample can come twice, or where the
                numbers must not depend on how samples were spread over ranks.

        Raises:
            InputError: shapes that do not fit, NaN or infinity.
        """
        if index is None:
            index = torch.arange(len(h)) + int(self.seen)
        part = (index.cpu() * MIX % 2**32) * PARTS // 2**32
        moments = PartMoments(packed=self.packed, d=self.dim, eps=self.rounding.item())
        moments.add(h.detach(), z.detach(), part=part)
        self.rounding.fill_(moments.eps)
        self.seen += len(h)

    def compute(self) -> Float[Tensor, " k"]:
        """R² of each factor on the part that was left out.

        Raises:
            InputError: samples too few for every part to have two.
        """
        return self.fitted()[1]

    def fitted(self) -> tuple[list[Regression], Float[Tensor, " k"]]:
        """The map to each factor, and its R² on the part that was left out.

        Raises:
            InputError: samples too few for every part to have two.
        """
        if self.packed[:, 0, 0].min() < 2:
            raise InputError(
                f"{int(self.seen)} samples are too few to fit and to score; "
                f"give {10 * PARTS} or more."
            )
        moments = PartMoments(packed=self.packed, d=self.dim, eps=self.rounding.item())
        folds = FoldMoments.nested(moments, test=0)
        fits = fit_each(folds, widths=[1] * (self.packed.shape[1] - 1 - self.dim))
        a = torch.cat([fit.coefficient for fit in fits], dim=1)
        b = torch.cat([fit.intercept for fit in fits])
        return fits, linear.r2(folds.test(0), a, b)
