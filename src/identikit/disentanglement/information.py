"""Mutual information of every code with every factor, from counts.

I(c; z) = sum p(c, z) log p(c, z) / (p(c) p(z)) in nats, c the bin of a code. Counted on n rows it
is too large, for a random code by about (bins - 1)(levels - 1) / 2n; a random code "explains" a
fifth of a factor of 183 levels on 1,000 rows. Variants:

`adjusted`: bins of equal mass, which no monotone map of a code can move; codes with few distinct
values keep them. Less the exact mean over permutations of the rows E (Vinh, Epps & Bailey, JMLR
2010): share = (I - E) / (H(z) - E), 1 for a perfect code and 0 on average for a random one.
`equal-width-20`: 20 bins of equal width and I as counted, share = I / H(z): what
disentanglement_lib and disent compute. One outlier empties its bins, and 40 levels do not fit.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy.special import chdtrc
from sklearn.metrics.cluster import expected_mutual_information

from identikit.core.errors import unknown_name
from identikit.disentanglement.table import MOST_BINS, Table, cut

VARIANTS = ("adjusted", "equal-width-20")
BINS, ROWS_PER_BIN = 20, 10
FALSE_POSITIVES = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """What each of d codes tells of each of k factors."""

    nats: Float[np.ndarray, "d k"]
    """Mutual information, corrected (and then at least 0) or as counted."""
    share: Float[np.ndarray, "d k"]
    """Of the factor's entropy, 0 to 1."""
    informative: Bool[np.ndarray, " d"]
    """Whether a code tells anything of any factor: by Pearson's test of independence, whose chance
    of passing any code of pure noise is 1 %, or, as counted, by any information at all."""


def information(table: Table, *, variant: str) -> Information:
    """Count, and correct if the variant says so.

    Raises:
        InputError: an unknown variant.
    """
    if variant not in VARIANTS:
        raise unknown_name("variant of mutual information", variant, VARIANTS)
    corrected = variant == "adjusted"
    bins = discretise(table) if corrected else equal_width(table.numbers.codes)
    shape = (bins.shape[1], table.levels.shape[1])
    nats, expected, p = (np.zeros(shape) for _ in range(3))
    entropy = np.zeros(shape[1])
    known: dict[bytes, float] = {}
    for j, levels in enumerate(table.levels.T):
        counts = contingency(bins, levels)
        entropy[j] = _entropy(counts[0].sum(axis=0))
        nats[:, j] = _mutual_information(counts) * table.numbers.alive
        if corrected:
            expected[:, j], p[:, j] = _expected(counts, known), _independence(counts)
    if not corrected:
        return Information(
            nats=nats, share=nats / entropy, informative=np.asarray(nats.max(axis=1) > 0)
        )
    above, room = np.maximum(nats - expected, 0.0), entropy - expected
    share = np.divide(above, room, out=np.zeros_like(above), where=room > 1e-9 * entropy)
    informative = (p < FALSE_POSITIVES / nats.size).any(axis=1)
    return Information(nats=above, share=share, informative=np.asarray(informative))


def discretise(table: Table) -> Int[np.ndarray, "n d"]:
    """Bins of equal mass: as many as the finest factor has levels, and at least 20.

    A code keeps its distinct values where there are at most 255 with ten rows each on average.
    Dead codes are one bin.
    """
    codes = table.numbers.codes * table.numbers.alive
    room = max(len(codes) // ROWS_PER_BIN, 2)
    bins = min(max(BINS, int(table.n_levels.max())), room)
    return cut(codes, bins=bins, keep=min(MOST_BINS, room))


def equal_width(codes: Float[np.ndarray, "n d"]) -> Int[np.ndarray, "n d"]:
    """20 bins between the least and the largest value of each code."""
    columns = [
        np.digitize(column, np.histogram_bin_edges(column, BINS)[:-1]) - 1 for column in codes.T
    ]
    return np.stack(columns, axis=1)


def contingency(
    bins: Int[np.ndarray, "n d"],
    levels: Int[np.ndarray, " n"],
    *,
    shape: tuple[int, int, int] | None = None,
) -> Int[np.ndarray, "d bins levels"]:
    """How many rows of each code's bin have each level; shape where these rows are not all."""
    d, size, n_levels = shape or (bins.shape[1], int(bins.max()) + 1, int(levels.max()) + 1)
    cell = (bins + size * np.arange(d)) * n_levels + levels[:, None]
    counts = np.bincount(cell.ravel(), minlength=d * size * n_levels)
    return counts.reshape(d, size, n_levels)


def _mutual_information(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """H(c) + H(z) - H(c, z) for each code."""
    joint, code, factor = (
        _entropy(c) for c in (counts.reshape(len(counts), -1), counts.sum(2), counts.sum(1))
    )
    return np.maximum(code + factor - joint, 0.0)


def _entropy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Nats, over the last axis."""
    n = counts.sum(axis=-1)
    c = counts.astype(float)
    weighted = c * np.log(c, out=np.zeros_like(c), where=c > 0)
    return np.asarray(np.log(n) - weighted.sum(axis=-1) / n)


def _independence(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """How rarely independence gives as much, by Pearson's test, for each code; 1 for one bin.

    (n - 1) / n of its statistic has the chi-square's mean over permutations whatever the counts; a
    G-test's, of few rows in a cell, has not its variance.
    """
    bins, levels = counts.sum(axis=2), counts.sum(axis=1)
    n = int(levels[0].sum())
    each, other = (1 / np.maximum(sizes, 1) for sizes in (bins, levels))
    statistic = (n - 1) * (np.einsum("dbl,db,dl->d", counts**2, each, other) - 1)
    freedom = ((bins > 0).sum(axis=1) - 1) * ((levels > 0).sum(axis=1) - 1)
    return np.where(freedom > 0, chdtrc(np.maximum(freedom, 1), np.maximum(statistic, 0.0)), 1.0)


def _expected(counts: NDArray[np.int64], known: dict[bytes, float]) -> NDArray[np.float64]:
    """Mean information over permutations; it depends on the sizes of bins and levels alone."""
    expected = np.zeros(len(counts))
    for i, cells in enumerate(counts):
        sizes = cells.sum(axis=1)
        key = np.sort(sizes).tobytes() + np.sort(cells.sum(axis=0)).tobytes()
        if key not in known:
            known[key] = float(expected_mutual_information(cells[sizes > 0], int(sizes.sum())))
        expected[i] = known[key]
    return expected
