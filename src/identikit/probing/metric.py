"""Held-out R² of the affine map from h to each factor as a torchmetrics object, batch by batch.

The state is the packed statistics of `moments`, which add up: one pass, constant memory, and
the same numbers however the samples were spread over batches or processes. A fifth of the
samples scores; a ridge penalty is chosen by cross-validation among the others where least
squares overfits, as in `regression`. h is (n, d), z is (n, k).
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from identikit.core.errors import InputError, unknown_name
from identikit.core.factors import Kind
from identikit.features.inputs import parse_kind
from identikit.probing import linear
from identikit.probing.moments import FoldMoments, Moments, PartMoments, merge
from identikit.probing.regression import Regression, doubts_of, fit_each
from identikit.report.figures import FactorBar, Figure, factor_bars

MEAN = "mean"
"""What the mean over factors is called among them."""
PARTS = 6
"""One that scores, five that take turns in choosing the penalty."""
MIX = 2654435761
"""Multiplier of Knuth's hash: neighbouring samples go to different parts."""


class LinearRecovery(Metric):
    """R² of each factor by its name, and their mean, on samples not fitted on.

    Args:
        dim: Columns of h.
        factors: Names of the columns of z; or how many, which are then called z1, z2, ...
        kinds: `circular(360)` for a factor that is an angle; the others are numbers.
        **kwargs: Those of `torchmetrics.Metric`.

    Raises:
        InputError: names that are not all different or one of them `mean`, or a kind without an R².
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    packed: Tensor
    rounding: Tensor
    seen: Tensor

    def __init__(
        self,
        *,
        dim: int,
        factors: int | Sequence[str],
        kinds: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        names = [f"z{j + 1}" for j in range(factors)] if isinstance(factors, int) else factors
        if len({MEAN, *names}) <= len(names):
            raise InputError(
                f"factors need different names, none of them {MEAN!r}; got {', '.join(names)}."
            )
        self.periods = {name: _period(name, (kinds or {}).get(name)) for name in names}
        for name in kinds or {}:
            if name not in self.periods:
                raise unknown_name("factor in kinds", name, self.periods)
        empty = PartMoments.empty(parts=PARTS, d=dim, k=sum(self._widths)).packed
        self.add_state("packed", default=empty, dist_reduce_fx=merge)
        nought = torch.zeros((), dtype=torch.float64)
        self.add_state("rounding", default=nought, dist_reduce_fx="max")
        self.add_state("seen", default=torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(
        self,
        h: Float[Tensor, "n d"],
        z: Float[Tensor, "n k"],
        index: Int[Tensor, " n"] | None = None,
        *,
        part: Int[Tensor, " n"] | None = None,
    ) -> None:
        """Take in a batch.

        Args:
            h: Features.
            z: Factors of the same samples, a column each, in the order of their names.
            index: Number of each sample, which decides what part it is in; by order of
                arrival if not given. Give it where one sample can come twice, or where the
                numbers must not depend on how samples were spread over ranks.
            part: That each sample is in, 0 (which scores) to PARTS - 1, where more than its number
                decides that.

        Raises:
            InputError: shapes that do not fit, NaN or infinity.
        """
        if z.shape[1] != len(self.periods):
            raise InputError(
                f"z must have a column for each factor ({', '.join(self.periods)}); got shape "
                f"{tuple(z.shape)}."
            )
        if part is None:
            part = part_of(torch.arange(len(h)) + int(self.seen) if index is None else index.cpu())
        moments = PartMoments(packed=self.packed, d=self.dim, eps=self.rounding.item())
        moments.add(h.detach(), self._regressed(z.detach()), part=part)
        self.rounding.fill_(moments.eps)
        self.seen += len(h)

    def compute(self) -> dict[str, Float[Tensor, ""]]:
        """R² of each factor on the part that was left out, and under `mean` their mean.

        Raises:
            InputError: samples too few for every part to have two.
        """
        fits, test = self._fitted()
        a = torch.cat([fit.coefficient for fit in fits], dim=1)
        b = torch.cat([fit.intercept for fit in fits])
        error, total = linear.squared_error(test, a, b), test.yy
        parts = zip(torch.split(error, self._widths), torch.split(total, self._widths), strict=True)
        scores = torch.stack([1 - left.sum() / whole.sum() for left, whole in parts])
        return {**dict(zip(self.periods, scores, strict=True)), MEAN: scores.mean()}

    def plot(self) -> Figure:
        """Bars of the R² of each factor so far.

        Raises:
            InputError: samples too few for every part to have two.
        """
        found = {name: value.item() for name, value in self.compute().items() if name != MEAN}
        return factor_bars([FactorBar(name=n, estimate=value) for n, value in found.items()])

    @property
    def _widths(self) -> list[int]:
        """Columns that each factor is regressed on: cosine and sine of an angle."""
        return [1 if period is None else 2 for period in self.periods.values()]

    def _regressed(self, z: Float[Tensor, "n k"]) -> Float[Tensor, "n columns"]:
        columns = []
        for value, period in zip(z.double().T, self.periods.values(), strict=True):
            angle = value if period is None else value * (math.tau / period)
            columns += [value] if period is None else [angle.cos(), angle.sin()]
        return torch.stack(columns, dim=1)

    def _fitted(self) -> tuple[list[Regression], Moments]:
        """The map to each factor, and the statistics of the part that was left out."""
        if self.packed[:, 0, 0].min() < 2:
            raise InputError(
                f"{int(self.seen)} samples are too few to fit and to score; "
                f"give {10 * PARTS} or more."
            )
        moments = PartMoments(packed=self.packed, d=self.dim, eps=self.rounding.item())
        folds = FoldMoments.nested(moments, test=0)
        fits = fit_each(folds, widths=self._widths)
        if doubts := doubts_of(fits[0], n=folds.train(0).n):
            warnings.warn(doubts, stacklevel=3)
        return fits, folds.test(0)


def part_of(index: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """The part that each sample is in, by its number; 0 is the one that scores."""
    return (index * MIX % 2**32) * PARTS // 2**32


def _period(name: str, kind: str | None) -> float | None:
    """One turn of an angle, None for a number."""
    if kind is None:
        return None
    known, period, _ = parse_kind(name, kind)
    if known not in (Kind.CONTINUOUS, Kind.CIRCULAR):
        raise InputError(
            f"factor {name!r} is {known}, which R² does not score. Leave it out here, and give all "
            "samples to identikit.score."
        )
    return period
