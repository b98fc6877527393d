"""FactorVAE score: does the code that moves least tell which factor was held?

A vote holds one factor, takes `batch` rows with one level of it, and names the code with the
smallest variance relative to its variance over all rows; each code then stands for the factor
that it was named for most often. The score is the share of fresh votes told rightly. Kim & Mnih
(ICML 2018, arXiv:1802.05983), section 4. Rows come from the table (`interventions.py`).

Codes that do not vary are left out first: 0/0 must not win the minimum, as it does in
disentanglement_lib and disent. Axis-aligned: a rotated perfect code scores low by design;
duplicates cost nothing, and neither does a factor's being spread over many codes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch.nn.functional import embedding_bag

from identikit.core.errors import InputError
from identikit.disentanglement.interventions import Interventions, by_level
from identikit.disentanglement.table import as_table

STILL = 1e-12
"""A relative variance below this is rounding: the code stood still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorVAE:
    """The majority-vote score."""

    score: float
    """Share of fresh votes told rightly."""
    chance: float
    """What guessing scores: 1 / factors."""
    per_factor: Float[np.ndarray, " k"]
    """The same share among the votes of each factor."""
    votes: Int[np.ndarray, "k d"]
    """How often each code was named while each factor was held, before the fresh votes."""
    variant: str
    """`table`: rows of a finite table stand for interventions."""
    status: str
    """`ok`, or why to read the score with care."""
    axis_aligned: bool = True
    """Asks for factors on the axes of the code; a rotation destroys it."""


def factor_vae(
    codes: Any,
    factors: Any,
    *,
    generator: torch.Generator,
    batch: int = 64,
    votes: int = 10_000,
    fresh: int = 5_000,
    factor_bins: int | None = None,
) -> FactorVAE:
    """The score from a table.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k); each distinct value is a level.
        generator: Draws the votes.
        batch: Rows behind a vote.
        votes: Votes that decide which factor a code stands for.
        fresh: Votes that score it.
        factor_bins: Cuts continuous factors into levels of equal mass.

    Raises:
        InputError: input that cannot be used, or no two rows that share a level.
    """
    if batch < 2 or votes < 1 or fresh < 1:
        raise InputError(
            f"a vote needs two rows, and both kinds of votes one; got batch {batch}, "
            f"votes {votes}, fresh {fresh}."
        )
    table = as_table(codes, factors, factor_bins=factor_bins)
    draws = Interventions(table.levels, generator=generator)
    alive = np.flatnonzero(table.numbers.alive)
    h, k = table.numbers.standardised()[:, alive], table.levels.shape[1]
    counts = np.zeros((2, k, len(table.numbers.alive)), np.int64)
    held = np.concatenate([draws.factors(votes), draws.factors(fresh)])
    if len(alive):
        named = alive[_stillest(h, table.levels, draws, held, batch)]
        np.add.at(counts, ((np.arange(len(held)) >= votes).astype(int), held, named), 1)
    right = counts[1] * (counts[0].argmax(axis=0) == np.arange(k)[:, None])
    cast = np.maximum(counts[1].sum(axis=1), 1)
    return FactorVAE(
        score=float(right.sum() / fresh),
        chance=1 / k,
        per_factor=right.sum(axis=1) / cast,
        votes=counts[0],
        variant="table",
        status=table.numbers.status,
    )


def _stillest(
    h: NDArray[np.float64],
    levels: NDArray[np.int64],
    draws: Interventions,
    held: NDArray[np.int64],
    batch: int,
) -> NDArray[np.int64]:
    """The code with the least variance in each vote; the first of those that stand still."""
    named = np.empty(len(held), np.int64)
    for factor in np.unique(held).tolist():
        votes = held == factor
        anchors = np.repeat(draws.anchors(factor, int(votes.sum())), batch)
        rows = torch.from_numpy(draws.others(factor, anchors).reshape(-1, batch))
        order, start, size = by_level(levels[:, factor])
        mean = np.add.reduceat(h[order], start, axis=0) / size[:, None]
        moved = torch.from_numpy(h - mean[levels[:, factor]]).float()  # so little cancels below
        moments = torch.cat([moved, moved.square()], dim=1)
        first, second = embedding_bag(rows, moments, mode="mean").chunk(2, dim=1)
        variance = second - first.square()
        named[votes] = torch.where(variance > STILL, variance, 0.0).argmin(dim=1).numpy()
    return named
