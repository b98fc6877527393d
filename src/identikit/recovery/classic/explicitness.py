"""Explicitness: how well a linear classifier on the whole code names each level.

Mean over factors and levels of the area under the ROC curve with which the classifier's
probability of a level finds it in held-out rows. Ridgeway & Mozer (NeurIPS 2018,
arXiv:1802.05312), section 3. Penalty |w|²/2 on codes in standard units (scikit-learn's C = 1).
Variants:

`multinomial`: the levels of a factor compete, as in disentanglement_lib. Lines that compete also
name levels between others, so that a factor along a line is wholly explicit.
`one-versus-rest`, the paper's: of a factor along a line only the outer levels can be named by a
line of their own, and a perfect code falls short of 1.

Not axis-aligned: a rotated perfect code scores as well, but for the penalty.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import log_softmax
from scipy.stats import rankdata

from identikit.errors import unknown_name
from identikit.recovery.classic.logistic import fit_logistic
from identikit.recovery.classic.table import OK, as_table, split_rows

VARIANTS = ("multinomial", "one-versus-rest")


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
    """Whether levels compete."""
    status: str
    """`ok`, or why to read the score with care."""
    axis_aligned: bool = False
    """A rotation of the code leaves it as it is."""


def explicitness(
    codes: Any,
    factors: Any,
    *,
    generator: torch.Generator,
    variant: str = "multinomial",
    factor_bins: int | None = None,
    test_share: float = 1 / 3,
) -> Explicitness:
    """The mean area.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k); each distinct value is a level.
        generator: Splits the rows.
        variant: See the head of this module.
        factor_bins: Cuts continuous factors into levels of equal mass.
        test_share: Share of rows that scores.

    Raises:
        InputError: input that cannot be used.
    """
    if variant not in VARIANTS:
        raise unknown_name("variant of explicitness", variant, VARIANTS)
    table = as_table(codes, factors, factor_bins=factor_bins)
    train, test = split_rows(len(table.levels), share=test_share, generator=generator)
    h = table.numbers.standardised()[:, table.numbers.alive]
    counts = table.n_levels
    y = np.concatenate(
        [table.levels[:, [j]] == np.arange(count) for j, count in enumerate(counts)], axis=1
    )
    usable = y[train].any(axis=0) & y[test].any(axis=0)
    usable &= ~(y[train].all(axis=0) | y[test].all(axis=0))
    left = [int(part.sum()) for part in np.split(usable, np.cumsum(counts)[:-1])]
    competing = [count for count in left if count]
    area = np.full(y.shape[1], 0.5)
    if h.shape[1] and usable.any():
        softmax, seen = variant == "multinomial", y[train][:, usable].astype(float)
        weight, constant = fit_logistic(h[train], seen, levels=competing, softmax=softmax)
        scores = h[test] @ weight + constant
        if softmax:
            parts = np.split(scores, np.cumsum(competing)[:-1], axis=1)
            scores = np.concatenate([log_softmax(part, axis=1) for part in parts], axis=1)
        area[usable] = _area_under_curve(scores, y[test][:, usable])
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
        variant=variant,
        status="; ".join(dead + rare) or OK,
    )


def _area_under_curve(
    score: NDArray[np.float64], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Chance that a positive scores above a negative, ties counted half; one per column."""
    rank = rankdata(np.ascontiguousarray(score.T), axis=1).T
    yes = positive.sum(axis=0)
    above = (rank * positive).sum(axis=0) - yes * (yes + 1) / 2
    return np.asarray(above / (yes * (len(score) - yes)))
