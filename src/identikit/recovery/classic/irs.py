"""IRS: how little a code moves while the factor that it follows stays put.

For code i and factor j, D_ij = mean over levels v of max over rows with z_j = v of
|c_i - mean of those rows|, M_i = max |c_i - mean c_i|; IRS_ij = 1 - D_ij / M_i, the code's score
is max_j IRS_ij, and codes weigh by M_i. Suter et al. (ICML 2019, arXiv:1811.00007), their estimate
from an annotated table of crossed factors: rows that share a level stand for an intervention,
which asks for independent factors and several rows for each level.

`quantile` below 1 replaces the inner maximum (0.99 is disentanglement_lib's default; 1 the
paper's). A maximum over few rows is below one over many, so noise scores above 0: `chance` is
the score of the same codes with the levels of other rows. Weights make it depend on the scale
of each code. Axis-aligned: a rotated perfect code scores low by design; duplicates cost nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from identikit.errors import InputError
from identikit.recovery.classic.interventions import by_level
from identikit.recovery.classic.table import as_table


@dataclass(frozen=True, slots=True, kw_only=True)
class IRS:
    """The interventional robustness score."""

    score: float
    """Mean over codes, weighted by how far they move; 0 to 1."""
    chance: float
    """The same after the rows of the factors were shuffled."""
    per_code: Float[np.ndarray, " d"]
    """Robustness of each code to everything but its factor; 0 for codes that do not vary."""
    robustness: Float[np.ndarray, "d k"]
    """1 where the code does not move while the factor stays."""
    parent: Int[np.ndarray, " d"]
    """The factor that each code follows best."""
    variant: str
    """`table`, with the quantile that stands for the maximum."""
    status: str
    """`ok`, or why to read the score with care."""
    axis_aligned: bool = True
    """Asks for factors on the axes of the code; a rotation destroys it."""


def irs(
    codes: Any,
    factors: Any,
    *,
    generator: torch.Generator,
    quantile: float = 1.0,
    factor_bins: int | None = None,
) -> IRS:
    """The score from a table.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k); each distinct value is a level.
        generator: Shuffles the rows for `chance`.
        quantile: Of the deviations at one level; 1 is their maximum.
        factor_bins: Cuts continuous factors into levels of equal mass.

    Raises:
        InputError: input that cannot be used, or a quantile outside (0, 1].
    """
    if not 0 < quantile <= 1:
        raise InputError(f"quantile must lie in (0, 1]; got {quantile}.")
    table = as_table(codes, factors, factor_bins=factor_bins)
    h = table.numbers.centred
    farthest = np.abs(h).max(axis=0) * table.numbers.alive
    robustness = _robustness(h, table.levels, farthest, quantile)
    shuffled = table.levels[torch.randperm(len(h), generator=generator).numpy()]
    by_chance = _robustness(h, shuffled, farthest, quantile)
    return IRS(
        score=_score(robustness, farthest),
        chance=_score(by_chance, farthest),
        per_code=robustness.max(axis=1),
        robustness=robustness,
        parent=robustness.argmax(axis=1),
        variant=f"table, quantile {quantile:g}",
        status=table.numbers.status,
    )


def _robustness(
    h: NDArray[np.float64],
    levels: NDArray[np.int64],
    farthest: NDArray[np.float64],
    quantile: float,
) -> NDArray[np.float64]:
    """(d, k); 0 for codes that do not vary."""
    moved = np.zeros((h.shape[1], levels.shape[1]))
    ordered = np.empty_like(h)
    for j, column in enumerate(levels.T):
        order, start, _ = by_level(column)
        np.take(h, order, axis=0, out=ordered, mode="clip")
        for rows in np.split(ordered, start[1:]):
            mean = rows.mean(axis=0)
            if quantile == 1:
                moved[:, j] += np.maximum(rows.max(axis=0) - mean, mean - rows.min(axis=0))
            else:
                moved[:, j] += _upper_quantile(np.abs(rows - mean), quantile)
        moved[:, j] /= len(start)
    alive = farthest > 0
    return np.where(alive[:, None], 1 - moved / np.where(alive, farthest, 1.0)[:, None], 0.0)


def _upper_quantile(a: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """`np.quantile` of each column: for high ones the few largest are all there is to sort."""
    place = share * (len(a) - 1)
    below = int(place)
    count = len(a) - below
    top = torch.from_numpy(a.T.copy()).topk(count, dim=1).values.numpy()[:, ::-1]
    above = top[:, min(1, count - 1)]
    return np.asarray(top[:, 0] + (place - below) * (above - top[:, 0]))


def _score(robustness: NDArray[np.float64], farthest: NDArray[np.float64]) -> float:
    total = farthest.sum()
    return float(robustness.max(axis=1) @ farthest / total) if total > 0 else 0.0
