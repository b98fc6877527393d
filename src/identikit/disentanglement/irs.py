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
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from identikit.core.errors import InputError
from identikit.disentanglement.interventions import by_level
from identikit.disentanglement.table import Table, as_table

ROWS_PER_CELL = 64
"""On average, in the cells that factors are crossed into."""
AT_ONCE = 1 << 17
"""Numbers gathered at a time; they stay in the processor's cache."""
DEEP = 12
"""Rows of which only the largest deviation is compared at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IRS:
    """The interventional robustness score."""

    score: float
    """Mean over codes, weighted by how far they move; 0 to 1."""
    chance: float | None
    """The same after the rows of the factors were shuffled; None without a generator."""
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
    generator: torch.Generator | None = None,
    quantile: float = 1.0,
    factor_bins: int | None = None,
) -> IRS:
    """The score from a table.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k); each distinct value is a level.
        generator: Shuffles the rows for `chance`, which takes as long again.
        quantile: Of the deviations at one level; 1 is their maximum.
        factor_bins: Cuts continuous factors into levels of equal mass.

    Raises:
        InputError: input that cannot be used, or a quantile outside (0, 1].
    """
    if not 0 < quantile <= 1:
        raise InputError(f"quantile must lie in (0, 1]; got {quantile}.")
    table = as_table(codes, factors, factor_bins=factor_bins)
    if quantile == 1:
        measure = partial(_largest, crossings=_crossings(table))
    else:
        measure = partial(_quantiles, levels=table.levels, quantile=quantile)
    h, rows = table.numbers.codes, np.arange(len(table.levels))
    farthest, moved = measure(h, rows)
    farthest = farthest * table.numbers.alive
    robustness, chance = _robustness(moved, farthest), None
    if generator is not None:
        other = np.empty_like(rows)
        other[torch.randperm(len(rows), generator=generator).numpy()] = rows
        by_chance = _robustness(measure(h, other)[1], farthest)
        chance = _score(by_chance, farthest)
    return IRS(
        score=_score(robustness, farthest),
        chance=chance,
        per_code=robustness.max(axis=1),
        robustness=robustness,
        parent=robustness.argmax(axis=1),
        variant=f"table, quantile {quantile:g}",
        status=table.numbers.status,
    )


def _robustness(moved: NDArray[np.float64], farthest: NDArray[np.float64]) -> NDArray[np.float64]:
    """(d, k); 0 for codes that do not vary."""
    alive = (farthest > 0)[:, None]
    return np.where(alive, 1 - moved / np.where(alive, farthest[:, None], 1.0), 0.0)


def _score(robustness: NDArray[np.float64], farthest: NDArray[np.float64]) -> float:
    total = farthest.sum()
    return float(robustness.max(axis=1) @ farthest / total) if total > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crossing:
    """Some factors, whose levels in every combination are cells."""

    shape: tuple[int, ...]
    """Levels of each factor."""
    order: NDArray[np.int64]
    """Rows, in the order of their cells."""
    start: NDArray[np.int64]
    """Where each cell starts."""
    size: NDArray[np.int64]
    """Rows of each cell."""


def _crossings(table: Table) -> list[_Crossing]:
    """All factors, as many at a time as leaves cells enough rows."""
    runs: list[list[int]] = []
    cells = len(table.levels)
    for j, count in enumerate(table.n_levels.tolist()):
        if cells * count * ROWS_PER_CELL <= len(table.levels):
            runs[-1].append(j)
            cells *= count
        else:
            runs.append([j])
            cells = count
    found: list[_Crossing] = []
    for run in runs:
        shape = tuple(table.n_levels[run].tolist())
        cell = np.ravel_multi_index(tuple(table.levels[:, run].T), shape)
        order, start, size = by_level(cell, count=prod(shape))
        found.append(_Crossing(shape=shape, order=order, start=start, size=size))
    return found


def _largest(
    h: NDArray[np.float64], rows: NDArray[np.int64], *, crossings: list[_Crossing]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest deviation (d,), and its mean over the levels of each factor (d, k)."""
    columns: list[NDArray[np.float64]] = []
    for crossing in crossings:
        ends, total = _cells(h, rows[crossing.order], crossing)
        size, axes = crossing.size.reshape(crossing.shape), range(len(crossing.shape))
        for axis in axes:
            others = tuple(other for other in axes if other != axis)
            mean = total.sum(axis=others) / size.sum(axis=others)[:, None]
            top, bottom = ends.max(axis=tuple(other + 1 for other in others))
            columns.append(np.maximum(top - mean, bottom + mean).mean(axis=0))
    mean = total.sum(axis=tuple(axes)) / len(h)
    top, bottom = ends.max(axis=tuple(axis + 1 for axis in axes))
    return np.maximum(top - mean, bottom + mean), np.stack(columns, axis=1)


def _cells(
    h: NDArray[np.float64], rows: NDArray[np.int64], crossing: _Crossing
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest values, of h and of -h (2, *shape, d), and sums (*shape, d) in each cell.

    Cells of one size go together. A cell without rows has the least values there are.
    """
    cells, d = len(crossing.size), h.shape[1]
    ends, total = np.full((2, cells, d), -np.inf), np.zeros((cells, d))
    for count in np.unique(crossing.size[crossing.size > 0]).tolist():
        alike, step = np.flatnonzero(crossing.size == count), np.arange(count)[:, None]
        at_once = max(1, AT_ONCE // (count * d))
        for first in range(0, len(alike), at_once):
            part = alike[first : first + at_once]
            taken = h.take(rows[crossing.start[part] + step], axis=0, mode="clip")
            ends[0, part], ends[1, part] = taken.max(axis=0), -taken.min(axis=0)
            total[part] = taken.sum(axis=0)
    return ends.reshape(2, *crossing.shape, d), total.reshape(*crossing.shape, d)


def _quantiles(
    h: NDArray[np.float64], rows: NDArray[np.int64], *, levels: NDArray[np.int64], quantile: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest deviation (d,), and the mean of a quantile over the levels of factors (d, k)."""
    moved = np.zeros((h.shape[1], levels.shape[1]))
    for j, column in enumerate(levels.T):
        order, start, _ = by_level(column)
        for own in np.split(rows[order], start[1:]):
            taken = torch.from_numpy(h.take(own, axis=0, mode="clip"))
            away = taken.sub_(taken.mean(dim=0)).abs_().numpy()
            moved[:, j] += _upper_quantile(away, quantile) / len(start)
    mean = h.mean(axis=0)
    return np.maximum(h.max(axis=0) - mean, mean - h.min(axis=0)), moved


def _upper_quantile(a: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """`np.quantile` of each column (m, d): of high ones the few largest are all that matter."""
    place = share * (len(a) - 1)
    below = int(place)
    count = len(a) - below
    largest = a.T.copy() if len(a) < 2 * DEEP * count else _above(a, count)
    largest.partition(largest.shape[1] - count, axis=1)
    least = largest[:, -count]
    above = largest[:, 1 - count :].min(axis=1) if count > 1 else least
    return np.asarray(least + (place - below) * (above - least))


def _above(a: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The `count` largest of each column, and some more (d, most); a is not negative.

    They reach the maxima of as many stacks of rows. Columns with fewer are filled up with 0.
    """
    stacks = len(a) // DEEP
    maxima = a[: DEEP * stacks].reshape(DEEP, stacks, -1).max(axis=0).T.copy()
    maxima.partition(stacks - count, axis=1)
    reached = np.flatnonzero(a >= maxima[:, stacks - count])
    column = reached % a.shape[1]
    order, start, size = by_level(column, count=a.shape[1])
    found = np.zeros((a.shape[1], size.max()))
    found[column[order], np.arange(len(order)) - start[column[order]]] = a.ravel()[reached[order]]
    return found
