"""What every classic metric starts from: codes and factors of the same samples, checked.

Codes are (n, d) numbers. Factors are (n, k); each distinct value is a level, unless `bins`
cuts a continuous factor into that many levels of equal mass. Codes that do not vary (a
standard deviation within the rounding of their entries) are dead: they say nothing, weigh
nothing, and the status counts them. A factor that does not vary has no score: it is refused.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from identikit.core.errors import InputError
from identikit.core.linalg import relative_rounding
from identikit.features.inputs import as_features

OK = "ok"
MOST_BINS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Checked codes, and factors as numbers."""

    codes: Float[np.ndarray, "n d"]
    mean: Float[np.ndarray, " d"]
    """Of each code."""
    factors: Float[np.ndarray, "n k"]
    size: Float[np.ndarray, " d"]
    """Standard deviation of each code."""
    alive: Bool[np.ndarray, " d"]
    """Whether a code varies."""
    status: str
    """`ok`, or what the reader of a score should know of the codes."""

    def standardised(self) -> Float[np.ndarray, "n d"]:
        """Codes less their means, over their standard deviations; dead ones are 0."""
        scale = np.divide(1, self.size, out=np.zeros_like(self.size), where=self.alive)
        return np.asarray((self.codes - self.mean) * scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Checked codes, and factors as levels."""

    numbers: Numbers
    levels: Int[np.ndarray, "n k"]
    """Index of each factor's level, 0 to its number of levels less one."""
    n_levels: Int[np.ndarray, " k"]
    """Levels of each factor."""


def as_numbers(codes: Any, factors: Any) -> Numbers:
    """Check and convert; no factor may be constant.

    Raises:
        InputError: shapes that do not match, NaN, or a constant factor.
    """
    given = as_features(codes, name="codes")
    column = getattr(factors, "ndim", 2) == 1
    z = as_features(factors[:, None] if column else factors, name="factors").double().numpy()
    h = given.double().numpy()
    if len(h) != len(z):
        raise InputError(
            f"codes and factors must have one row per sample; got {len(h)} and {len(z)} rows."
        )
    columns = np.ascontiguousarray(z.T)
    constant = np.flatnonzero((columns == columns[:, :1]).all(axis=1))
    if len(constant):
        raise InputError(
            f"factor {constant[0]} (from 0) is constant, so no code can tell its values apart. "
            "Leave it out."
        )
    mean = np.ones(len(h)) @ h / len(h)
    variance = np.einsum("ij,ij->j", h, h) / len(h) - mean**2
    far = mean**2 > variance  # from 0, where digits cancel
    variance[far] = np.square(h[:, far] - mean[far]).mean(axis=0)
    size = np.sqrt(variance)
    alive = size > 4 * relative_rounding(given) * np.sqrt(variance + mean**2)
    dead = int((~alive).sum())
    status = f"{dead} of {len(alive)} codes do not vary" if dead else OK
    return Numbers(codes=h, mean=mean, factors=z, size=size, alive=alive, status=status)


def as_table(codes: Any, factors: Any, *, factor_bins: int | None = None) -> Table:
    """The same with factors as levels, which must repeat.

    Raises:
        InputError: as for numbers, or a factor whose values hardly repeat and that `factor_bins`
            does not cut into levels.
    """
    numbers = as_numbers(codes, factors)
    n, z = numbers.factors.shape[0], numbers.factors
    if factor_bins is not None:
        if not 2 <= factor_bins <= n / 2:
            raise InputError(
                f"factor_bins must lie between 2 and half the {n} samples; got {factor_bins}."
            )
        z = cut(z, bins=factor_bins, keep=factor_bins)
    columns = [_levels(column) for column in np.ascontiguousarray(z.T)]
    n_levels = np.array([column.max() + 1 for column in columns])
    many = np.flatnonzero(n_levels > n / 2)
    if len(many):
        raise InputError(
            f"factor {many[0]} (from 0) has {n_levels[many[0]]} levels in {n} samples, so most "
            "occur once and no score over levels means anything. Give factor_bins=20 to cut "
            "factors into levels of equal mass, or take a variant for factors as numbers."
        )
    return Table(numbers=numbers, levels=np.stack(columns).T, n_levels=n_levels)


def _levels(column: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
    """The rank of each value among the distinct ones; whole numbers need no sorting."""
    least = column.min()
    if column.max() - least < len(column):
        whole = (column - least).astype(np.int64)
        if (whole == column - least).all():
            there = np.bincount(whole) > 0
            return whole if there.all() else np.asarray((np.cumsum(there) - 1)[whole])
    levels: NDArray[np.int64] = np.unique(column, return_inverse=True)[1]
    return levels


def cut(columns: Float[np.ndarray, "n d"], *, bins: int, keep: int) -> Int[np.ndarray, "n d"]:
    """Bins of (nearly) as many samples each; equal values stay together.

    Args:
        columns: Anything to be cut.
        bins: How many, for columns with more than `keep` distinct values.
        keep: A column with at most so many distinct values keeps them.
    """
    n = len(columns)
    rows = np.ascontiguousarray(columns.T)
    order = np.argsort(rows, axis=1)
    ordered = np.take_along_axis(rows, order, axis=1)
    new = np.zeros(rows.shape, bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=new[:, 1:])
    value = np.cumsum(new, axis=1)
    first = np.maximum.accumulate(np.where(new, np.arange(n), 0), axis=1)
    index = np.where(value[:, -1:] < keep, value, first * bins // n)
    binned = np.empty_like(index)
    np.put_along_axis(binned, order, index, axis=1)
    return np.ascontiguousarray(binned.T)


def split_rows(
    n: int, *, share: float, generator: torch.Generator
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """Rows to fit on and rows held out, `share` of them, at random.

    Raises:
        InputError: a share that leaves one of the parts empty.
    """
    test = round(share * n)
    if not 0 < test < n:
        raise InputError(
            f"test_share must leave rows on both sides of the split; got {share} of {n} rows."
        )
    order: NDArray[np.int64] = torch.randperm(n, generator=generator).numpy()
    return np.sort(order[test:]), np.sort(order[:test])
