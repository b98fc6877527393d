"""Explicitness: how well a linear classifier on the whole code names each level.

Mean over factors and levels of the area under the ROC curve of a one-versus-rest logistic
regression on the whole code, on held-out rows. Ridgeway & Mozer (NeurIPS 2018,
arXiv:1802.05312), section 3. Penalty |w|²/2 on codes in standard units (scikit-learn's C = 1).
Not axis-aligned: a rotated perfect code scores as well, but for the penalty. Only the outer
levels of a factor that lies along a line are named by a line; those between score near 0.5.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.stats import rankdata

from identikit.recovery.classic.logistic import fit_logistic
from identikit.recovery.classic.table import OK, as_table, split_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Explicitness:
    """How linearly the levels of factors are there."""

    score: float
    """Mean area under the curve over factors; 1 is perfect."""
    chance: float
    """0.5."""
    per_factor: Float[np.ndarray, " k"]
    """Mean over the levels of each factor."""
    per_level: tuple[Float[np.ndarray, " _"], ...]
    """For each factor, the area of each of its levels; 0.5 for one that a part lacks."""
    variant: str
    """`one-versus-rest`."""
    status: str
    """`ok`, or why to read the score with care."""
    axis_aligned: bool = False
    """A rotation of the code leaves it as it is."""


def explicitness(
    codes: Any,
    factors: Any,
    *,
    generator: torch.Generator,
    factor_bins: int | None = None,
    test_share: float = 1 / 3,
) -> Explicitness:
    """The mean area.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k); each distinct value is a level.
        generator: Splits the rows.
        factor_bins: Cuts continuous factors into levels of equal mass.
        test_share: Share of rows that scores.

    Raises:
        InputError: input that cannot be used.
    """
    table = as_table(codes, factors, factor_bins=factor_bins)
    train, test = split_rows(len(table.levels), share=test_share, generator=generator)
    h = table.numbers.standardised()[:, table.numbers.alive]
    counts = table.n_levels
    y = np.concatenate(
        [table.levels[:, [j]] == np.arange(count) for j, count in enumerate(counts)], axis=1
    ).astype(float)
    usable = np.logical_and.reduce([np.ptp(y[rows], axis=0) > 0 for rows in (train, test)])
    area = np.full(y.shape[1], 0.5)
    if h.shape[1] and usable.any():
        weight, constant = fit_logistic(h[train], y[train][:, usable])
        area[usable] = _area_under_curve(h[test] @ weight + constant, y[test][:, usable] > 0)
    per_level = tuple(np.split(area, np.cumsum(counts)[:-1]))
    per_factor = np.array([levels.mean() for levels in per_level])
    missing = int((~usable).sum())
    rare = [f"{missing} levels are missing from one part of the rows"] if missing else []
    dead = [table.numbers.status] if table.numbers.status != OK else []
    return Explicitness(
        score=float(per_factor.mean()),
        chance=0.5,
        per_factor=per_factor,
        per_level=per_level,
        variant="one-versus-rest",
        status="; ".join(dead + rare) or OK,
    )


def _area_under_curve(
    score: NDArray[np.float64], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Chance that a positive scores above a negative, ties counted half; one per column."""
    rank = rankdata(score, axis=0)
    yes = positive.sum(axis=0)
    above = (rank * positive).sum(axis=0) - yes * (yes + 1) / 2
    return np.asarray(above / (yes * (len(score) - yes)))
