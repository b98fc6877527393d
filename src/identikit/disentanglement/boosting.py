"""Gradient boosted trees of depth 3 on all factors at once, and the gain that each code brings.

Friedman (2001), algorithms 1, 5 and 6, shrinkage 0.1 and 100 rounds: the settings of the trees
behind the DCI scores of Locatello et al. (arXiv:1811.12359). A split's gain is the fall in the
squared error of the residuals, (n S_l - n_l S)² / (n n_l n_r) for the sum S of residuals; the
importance of a code is the sum of its gains over trees. Splits lie between bins; where each
distinct value has its own, importances are those of scikit-learn's `GradientBoostingClassifier`
(whose histogram sibling publishes none). Codes that tie for a split share its gain, the
expectation of the random tie-break there.
Codes are (n, d), factors (n, k), trees of one round are t = 1..T: one per level, one for two.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit, softmax

ROUNDS, SHRINKAGE, DEPTH = 100, 0.1, 3
TIE = 1e-9
"""Gains this near to the best, relatively, are the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosted:
    """What the trees used, and what they know of rows that they have not seen."""

    importance: Float[np.ndarray, "d k"]
    """Summed gains, each factor's column scaled to 1 (or 0 where nothing helps)."""
    fitted: list[Float[np.ndarray, "..."]]
    """Per factor, log-odds (n, levels) of the training rows; for numbers the value (n, 1)."""
    held_out: list[Float[np.ndarray, "..."]]
    """The same for the test rows."""


class Histograms:
    """Sums of any columns over the rows in or below each bin, code by code.

    One sparse product a code: its sums stay in the processor's cache while they are searched.
    """

    def __init__(self, bins: Int[np.ndarray, "n d"]) -> None:
        n = len(bins)
        self._of_code = []
        for column in bins.T:
            start = np.concatenate([[0], np.cumsum(np.bincount(column))])
            order = np.argsort(column, kind="stable")
            rows = csr_array((np.ones(n), order, start), shape=(len(start) - 1, n))
            self._of_code.append(rows)

    def __len__(self) -> int:
        return len(self._of_code)

    def below(self, code: int, columns: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "bins c"]:
        """Sums over the rows whose bin of this code is at most b."""
        sums = self._of_code[code] @ columns
        return np.cumsum(sums, axis=0, out=sums)


def boost(
    train: Int[np.ndarray, "n d"],
    target: Float[np.ndarray, "n k"],
    *,
    test: Int[np.ndarray, "m d"],
    numbers: bool = False,
) -> Boosted:
    """Fit every factor, round by round, all trees of a round together.

    Args:
        train: Bins of the training rows.
        target: Factors: indices of levels, or numbers.
        test: Bins of the rows to predict.
        numbers: Least squares on numbers instead of log-loss on levels.
    """
    k = target.shape[1]
    parts = [target[:, [j]] if numbers else _one_hot(target[:, j]) for j in range(k)]
    y = np.concatenate([part[:, 1:] if _binary(part) else part for part in parts], axis=1)
    widths = [1 if _binary(part) else part.shape[1] for part in parts]
    tree_of = np.repeat(np.arange(k), widths)
    start = _start(y, widths, numbers)
    f, f_test = np.tile(start, (len(train), 1)), np.tile(start, (len(test), 1))
    histograms, gains = Histograms(train), np.zeros((train.shape[1], k))
    step = np.array([1.0 if numbers or w == 1 else (w - 1) / w for w in widths])[tree_of]
    for _ in range(ROUNDS):
        p = f if numbers else _probability(f, widths)
        residual = y - p
        leaf, leaf_test = _grow(train, test, residual, histograms, gains, tree_of)
        weight = np.ones_like(p) if numbers else p * (1 - p)
        value = step * _per_leaf(leaf, residual) / np.maximum(_per_leaf(leaf, weight), 1e-150)
        f += SHRINKAGE * np.take_along_axis(value, leaf, axis=0)
        f_test += SHRINKAGE * np.take_along_axis(value, leaf_test, axis=0)
    total = gains.sum(axis=0)
    return Boosted(
        importance=np.divide(gains, total, out=np.zeros_like(gains), where=total > 0),
        fitted=_by_factor(f, widths, numbers),
        held_out=_by_factor(f_test, widths, numbers),
    )


def _grow(
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    residual: NDArray[np.float64],
    histograms: Histograms,
    gains: NDArray[np.float64],
    tree_of: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One tree for each column of residuals; adds to `gains`, returns the leaf of each row.

    Nodes of a level are numbered 0.. with children 2 i and 2 i + 1; only left children are
    summed, right ones are what remains of their parents.
    """
    n, trees = residual.shape
    leaf, leaf_test = np.zeros((n, trees), np.int64), np.zeros((len(test), trees), np.int64)
    column = np.arange(trees)
    parents: list[NDArray[np.float64]] = []
    for level in range(DEPTH):
        if level:
            left = leaf[..., None] == 2 * np.arange(2 ** (level - 1))
            columns = np.stack([residual[..., None] * left, left], axis=1).reshape(n, -1)
            shape = (2, trees, 2 ** (level - 1))
        else:
            columns = np.concatenate([residual, np.ones((n, 1))], axis=1)
        best = np.zeros((len(histograms), trees, 2**level))
        cut = np.zeros(best.shape, np.int64)
        for code in range(len(histograms)):
            below = histograms.below(code, columns)
            if level:
                part = below.reshape(-1, *shape)
                both = np.stack([part, parents[code] - part], axis=-1).reshape(
                    len(below), 2, trees, -1
                )
                parents[code] = both
            else:
                ones = np.broadcast_to(below[:, -1:], (len(below), trees))
                both = np.stack([below[:, :-1], ones], axis=1)[..., None]
                parents.append(both)
            best[code], cut[code] = _best_cuts(both[:, 0], both[:, 1])
        chosen, at = _best_codes(best, cut, gains, tree_of)
        for rows, where in ((train, leaf), (test, leaf_test)):
            right = np.take_along_axis(rows, chosen[column, where], axis=1) > at[column, where]
            where *= 2
            where += right
    return leaf, leaf_test


def _best_cuts(
    sums: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Largest gain (trees, nodes) over the bins of one code, and the bin it cuts after."""
    total, size = sums[-1], counts[-1]
    numerator = size * sums
    numerator -= counts * total
    numerator *= numerator
    split = counts * (size - counts)
    numerator[split < 0.5] = 0.0
    split *= size
    gain = np.divide(numerator, np.maximum(split, 1.0, out=split), out=numerator)
    cut = gain.argmax(axis=0)
    return np.take_along_axis(gain, cut[None], axis=0)[0], cut


def _best_codes(
    gain: NDArray[np.float64],
    cut: NDArray[np.int64],
    gains: NDArray[np.float64],
    tree_of: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Code and bin (trees, nodes) with the largest gain; all rows go left where none helps."""
    code, best = gain.argmax(axis=0), gain.max(axis=0)
    tied = (gain >= (1 - TIE) * best) & (best > 0)
    share = np.where(tied, best, 0.0) / np.maximum(tied.sum(axis=0), 1)
    np.add.at(gains.T, tree_of, share.sum(axis=2).T)
    at = np.take_along_axis(cut, code[None], axis=0)[0]
    at[best <= 0] = np.iinfo(np.int64).max
    return np.asarray(code), at


def _per_leaf(leaf: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    trees, leaves = leaf.shape[1], 2**DEPTH
    flat = (leaf + leaves * np.arange(trees)).ravel()
    summed = np.bincount(flat, weights=values.ravel(), minlength=trees * leaves)
    return np.asarray(summed.reshape(trees, leaves).T)


def _one_hot(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(levels[:, None] == np.unique(levels), dtype=float)


def _binary(part: NDArray[np.float64]) -> bool:
    return bool(part.shape[1] == 2)


def _start(y: NDArray[np.float64], widths: list[int], numbers: bool) -> NDArray[np.float64]:
    """Where the rounds start: means, log-shares, or the log-odds of two levels."""
    mean = np.asarray(y.mean(axis=0))
    if numbers:
        return mean
    other = np.where(np.repeat(np.array(widths) == 1, widths), 1 - mean, 1.0)
    return np.asarray(np.log(mean / other))


def _probability(f: NDArray[np.float64], widths: list[int]) -> NDArray[np.float64]:
    p = np.empty_like(f)
    for part, out in zip(_split(f, widths), _split(p, widths), strict=True):
        out[:] = expit(part) if part.shape[1] == 1 else softmax(part, axis=1)
    return p


def _by_factor(
    f: NDArray[np.float64], widths: list[int], numbers: bool
) -> list[NDArray[np.float64]]:
    return [
        np.concatenate([-part, part], axis=1) / 2 if part.shape[1] == 1 and not numbers else part
        for part in _split(f, widths)
    ]


def _split(f: NDArray[np.float64], widths: list[int]) -> list[NDArray[np.float64]]:
    return np.split(f, np.cumsum(widths)[:-1], axis=1)
