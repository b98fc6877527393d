"""SAP: how much better the best single code predicts a factor than the next best.

SAP = mean_j (S_(1)j - S_(2)j) for the score S_ij of code i alone as a predictor of factor j.
Kumar, Sattigeri & Balakrishnan (ICLR 2018, arXiv:1711.00848), section 3. Variants:

`threshold`, for levels: cuts of the code fitted for balanced accuracy on one part of the rows
(each of its bins names the level it holds the largest share of), balanced accuracy on the other.
`linear`, for numbers: the squared correlation.

disentanglement_lib and disent put a linear classifier on the one code and count plain accuracy:
with one line, levels between the outer two cannot be named, and a rare level need not be.
A perfect code scores 1 - 1 / levels under `threshold`, as the paper has it: see `ceiling`. What a
code lacks to chance is luck, so a gap is never counted from below chance.
Axis-aligned: a rotated or a duplicated perfect code scores low by design.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from identikit.core.errors import unknown_name
from identikit.disentanglement.information import contingency, discretise
from identikit.disentanglement.mig import top_gap
from identikit.disentanglement.table import Numbers, Table, as_numbers, as_table, split_rows

VARIANTS = ("threshold", "linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class SAP:
    """The separated attribute predictability."""

    score: float
    """Mean gap over factors, 0 to `ceiling`."""
    per_factor: Float[np.ndarray, " k"]
    """Gap between the two best codes."""
    predictability: Float[np.ndarray, "d k"]
    """Balanced accuracy or squared correlation of each code with each factor."""
    ceiling: float
    """What a perfect code scores: mean of 1 - 1 / levels, or 1 for numbers."""
    variant: str
    """Which predictor."""
    status: str
    """`ok`, or why to read the score with care."""
    axis_aligned: bool = True
    """Asks for factors on the axes of the code; a rotation destroys it."""


def sap(
    codes: Any,
    factors: Any,
    *,
    generator: torch.Generator,
    variant: str = "threshold",
    factor_bins: int | None = None,
    test_share: float = 1 / 3,
) -> SAP:
    """The mean gap.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k); levels for `threshold`, numbers for `linear`.
        generator: Splits the rows for `threshold`.
        variant: See the head of this module.
        factor_bins: For `threshold`, cuts continuous factors into levels of equal mass.
        test_share: For `threshold`, the share of rows that scores.

    Raises:
        InputError: input that cannot be used.
    """
    if variant not in VARIANTS:
        raise unknown_name("variant of SAP", variant, VARIANTS)
    if variant == "linear":
        numbers = as_numbers(codes, factors)
        scores, floor = _squared_correlation(numbers), np.zeros(numbers.factors.shape[1])
    else:
        table = as_table(codes, factors, factor_bins=factor_bins)
        numbers = table.numbers
        parts = split_rows(len(table.levels), share=test_share, generator=generator)
        scores, floor = _thresholds(table, *parts), 1 / table.n_levels
    gap = top_gap(np.maximum(scores - floor, 0.0))
    return SAP(
        score=float(gap.mean()),
        per_factor=gap,
        predictability=scores,
        ceiling=float(1 - floor.mean()),
        variant=variant,
        status=numbers.status,
    )


def _thresholds(
    table: Table, train: NDArray[np.int64], test: NDArray[np.int64]
) -> NDArray[np.float64]:
    bins = discretise(table)
    scores = np.zeros((bins.shape[1], table.levels.shape[1]))
    for j, levels in enumerate(table.levels.T):
        size = (bins.shape[1], int(bins.max()) + 1, int(levels.max()) + 1)
        seen, held = (contingency(bins[rows], levels[rows], shape=size) for rows in (train, test))
        share = seen / np.maximum(seen.sum(axis=1, keepdims=True), 1)
        named = share.argmax(axis=2)[..., None]
        hits = np.take_along_axis(held, named, axis=2) * (named == np.arange(size[2]))
        total = held.sum(axis=1)
        scores[:, j] = (hits.sum(axis=1) / np.maximum(total, 1)).sum(axis=1) / (total > 0).sum(1)
    return scores


def _squared_correlation(numbers: Numbers) -> NDArray[np.float64]:
    z = np.ascontiguousarray(numbers.factors.T)
    z = z - z.mean(axis=1, keepdims=True)
    unit = z / z.std(axis=1, keepdims=True)
    covariance = numbers.codes.T @ unit.T / z.shape[1] - np.outer(numbers.mean, unit.mean(axis=1))
    scale = np.divide(1, numbers.size, out=np.zeros_like(numbers.size), where=numbers.alive)
    return np.asarray(np.square(covariance * scale[:, None]))
