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

from identikit.core.errors import unknown_name
from identikit.disentanglement.logistic import fit_logistic, log_softmax
from identikit.disentanglement.table import OK, as_table, split_rows

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
        [column == np.arange(n)[:, None] for column, n in zip(table.levels.T, counts, strict=True)]
    )
    seen, held = y[:, train], y[:, test]
    usable = seen.any(axis=1) & held.any(axis=1)
    usable &= ~(seen.all(axis=1) | held.all(axis=1))
    left = [int(part.sum()) for part in np.split(usable, np.cumsum(counts)[:-1])]
    competing = [count for count in left if count]
    area = np.full(len(y), 0.5)
    if h.shape[1] and usable.any():
        softmax = variant == "multinomial"
        weight, constant = fit_logistic(
            h[train], seen[usable].T.astype(float), levels=competing, softmax=softmax
        )
        scores = weight.T @ h[test].T + constant[:, None]
        if softmax:
            scores = log_softmax(torch.from_numpy(scores), competing).numpy()
        area[usable] = _area_under_curve(scores, held[usable])
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
    """Chance that a positive scores above a negative, ties counted half; one per row."""
    areas: list[float] = []
    for each, yes in zip(score, positive, strict=True):
        above, below = np.sort(each[yes]), np.sort(each[~yes])
        under = (np.searchsorted(below, above, side) for side in ("left", "right"))
        areas.append(sum(float(count.mean()) for count in under) / 2 / len(below))
    return np.array(areas)
