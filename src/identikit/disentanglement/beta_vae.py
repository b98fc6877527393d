"""BetaVAE score: does the mean distance of pairs that share a level tell which factor it is?

A point holds one factor and averages |c - c'| over `batch` pairs of rows that agree on it; a
linear classifier names the factor from the point. The score is its accuracy on fresh points.
Higgins et al. (ICLR 2017, openreview Sy2fzU9gl), section 3. Pairs come from the table
(`interventions.py`) and never pair a row with itself; codes are in units of their standard
deviation; the classifier is multinomial logistic regression.

A code that is a little quieter for one factor than for others is enough for the classifier, so
the score is easily 1: also for codes that mix factors unequally. Axis-aligned all the same: in a
mixture of all factors by equal shares no code gets quieter for any of them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from identikit.core.errors import InputError
from identikit.disentanglement.interventions import Interventions
from identikit.disentanglement.logistic import fit_logistic
from identikit.disentanglement.table import as_table

AT_ONCE = 64
"""Points averaged together; their pairs stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaVAE:
    """The accuracy of the linear classifier."""

    score: float
    """Share of fresh points named rightly."""
    chance: float
    """What guessing scores: 1 / factors."""
    per_factor: Float[np.ndarray, " k"]
    """The same share among the points of each factor."""
    distance: Float[np.ndarray, "k d"]
    """Mean distance along each code, in its standard deviations, while each factor is held."""
    variant: str
    """`table`: rows of a finite table stand for interventions."""
    status: str
    """`ok`, or why to read the score with care."""
    axis_aligned: bool = True
    """Asks that each factor quieten some axis of the code more than others do."""


def beta_vae(
    codes: Any,
    factors: Any,
    *,
    generator: torch.Generator,
    batch: int = 64,
    points: int = 10_000,
    fresh: int = 5_000,
    factor_bins: int | None = None,
) -> BetaVAE:
    """The score from a table.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k), k at least 2; each distinct value is a level.
        generator: Draws the pairs.
        batch: Pairs behind a point.
        points: Points that the classifier is fitted to.
        fresh: Points that score it.
        factor_bins: Cuts continuous factors into levels of equal mass.

    Raises:
        InputError: input that cannot be used, a single factor, or no rows that share a level.
    """
    if batch < 1 or points < 1 or fresh < 1:
        raise InputError(
            f"batch, points and fresh must be positive; got {batch}, {points} and {fresh}."
        )
    table = as_table(codes, factors, factor_bins=factor_bins)
    k = table.levels.shape[1]
    if k < 2:
        raise InputError("the BetaVAE score tells factors apart; give two or more.")
    draws = Interventions(table.levels, generator=generator)
    code = torch.from_numpy(table.numbers.standardised().astype(np.float32))
    (x, held), (x_fresh, held_fresh) = (
        _points(code, draws, count, batch) for count in (points, fresh)
    )
    named = _classify(x, held, x_fresh, k)
    right = named == held_fresh
    cast = np.maximum(np.bincount(held_fresh, minlength=k), 1)
    members = held[:, None] == np.arange(k)
    return BetaVAE(
        score=float(right.mean()),
        chance=1 / k,
        per_factor=np.bincount(held_fresh, weights=right, minlength=k) / cast,
        distance=members.T @ x / np.maximum(members.sum(axis=0), 1)[:, None],
        variant="table",
        status=table.numbers.status,
    )


def _points(
    code: torch.Tensor, draws: Interventions, count: int, batch: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean distances (count, d) and the factor held for each."""
    held = draws.factors(count)
    pairs = np.empty((2, count, batch), np.int64)
    for factor in np.unique(held).tolist():
        one = draws.anchors(factor, int((held == factor).sum()) * batch)
        pairs[0, held == factor] = one.reshape(-1, batch)
        pairs[1, held == factor] = draws.others(factor, one).reshape(-1, batch)
    one, other = torch.from_numpy(pairs)
    means = [
        code[a].sub_(code[b]).abs_().mean(dim=1)
        for a, b in zip(one.split(AT_ONCE), other.split(AT_ONCE), strict=True)
    ]
    return torch.cat(means).double().numpy(), held


def _classify(
    x: NDArray[np.float64], held: NDArray[np.int64], fresh: NDArray[np.float64], k: int
) -> NDArray[np.int64]:
    centre, size = x.mean(axis=0), x.std(axis=0)
    size = np.where(size > 1e-6, size, np.inf)
    drawn = np.flatnonzero(np.bincount(held, minlength=k))
    if len(drawn) == 1:
        return np.full(len(fresh), drawn[0])
    members = (held[:, None] == drawn).astype(float)
    weight, constant = fit_logistic((x - centre) / size, members, levels=[len(drawn)], softmax=True)
    return np.asarray(drawn[((fresh - centre) / size @ weight + constant).argmax(axis=1)])
