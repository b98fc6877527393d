"""Scores of a prediction as functions of weights on the points: (b, n) -> (b, k).

With all weights one they are the usual scores; with bootstrap counts they are the scores
of the resample. Sums run over centred float64 columns of unit size, so neither scale nor
shift of a factor moves them.
"""

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from identikit.core.linalg import centred
from identikit.statistics.bootstrap import Statistic
from identikit.statistics.intervals import CORRELATION, SCORE, SHARE


def r2(
    prediction: Float[Tensor, "n maps_k"], target: Float[Tensor, "n k"], *, pooled: bool = False
) -> Statistic:
    """R² = 1 - sum e² / sum (t - mean t)², per column or pooled over the columns.

    Predictions may be those of several maps, one after another.
    """
    maps = prediction.shape[1] // target.shape[1]
    t = centred(target)
    size = t.square().mean(dim=0).sqrt()
    size = size.square().mean().sqrt().expand_as(size) if pooled else size
    t = t / size
    e2 = ((target.double().tile(maps) - prediction.double()) / size.tile(maps)).square()
    parts = e2, t, t.square()

    def statistic(weights: Tensor) -> Tensor:
        weights = weights / weights.sum(dim=1, keepdim=True)
        error, mean, square = (weights @ part for part in parts)
        variance = square - mean.square()
        if pooled:
            error, variance = error.sum(1, keepdim=True), variance.sum(1, keepdim=True)
        return 1 - error / variance.where(variance > 1e-12, torch.nan).tile(maps)

    return Statistic(statistic, within=SCORE)


def correlation(a: Float[Tensor, "n maps_k"], b: Float[Tensor, "n k"]) -> Statistic:
    """Pearson's r of matching columns; 0 where a column does not vary.

    The columns of `a` may be those of several maps, one after another.
    """
    maps = a.shape[1] // b.shape[1]
    x, y = standardised(a), standardised(b)
    parts = x, x.square(), x * y.tile(maps), y, y.square()

    def statistic(weights: Tensor) -> Tensor:
        weights = weights / weights.sum(dim=1, keepdim=True)
        mx, xx, xy, my, yy = (weights @ part for part in parts)
        my, yy = my.tile(maps), yy.tile(maps)
        x2, y2 = xx - mx.square(), yy - my.square()
        varies = torch.minimum(x2, y2) > 1e-12  # of 1: in a resample rounding is all that is left
        return _ratio(xy - mx * my, (x2 * y2).where(varies, 0.0))

    return Statistic(statistic, within=CORRELATION)


def spearman(a: Float[Tensor, " n"], b: Float[Tensor, " n"]) -> Statistic:
    """Correlation of mid-ranks, ranked anew in every resample."""
    levels = [torch.unique(v, return_inverse=True)[1] for v in (a, b)]

    def statistic(weights: Tensor) -> Tensor:
        total = weights.sum(dim=1, keepdim=True)
        x, y = (_midrank(weights, level) / total - 0.5 for level in levels)
        xy, xx, yy = ((weights * p).sum(1, keepdim=True) for p in (x * y, x * x, y * y))
        return _ratio(xy / total, xx * yy / total.square())  # mid-ranks have mean one half

    return Statistic(statistic, within=CORRELATION)


def auc(score: Float[Tensor, " n"], positive: Int[Tensor, " n"]) -> Statistic:
    """Chance that a positive scores above a negative, ties counting half."""
    level = torch.unique(score, return_inverse=True)[1]
    is_positive = positive.double()

    def statistic(weights: Tensor) -> Tensor:
        above, below = weights * is_positive, weights * (1 - is_positive)
        wins = (above * _midrank(below, level)).sum(1, keepdim=True)
        pairs = above.sum(1, keepdim=True) * below.sum(1, keepdim=True)
        return wins / pairs.where(pairs > 0, torch.nan)

    return Statistic(statistic, within=SHARE)


def balanced_accuracy(predicted: Int[Tensor, " n"], target: Int[Tensor, " n"]) -> Statistic:
    """Share of hits in each class that occurs, mean over these classes."""
    present, level = torch.unique(target, return_inverse=True)
    member = torch.nn.functional.one_hot(level, len(present)).double()
    hit = member * (predicted == target)[:, None]

    def statistic(weights: Tensor) -> Tensor:
        size = weights @ member
        recall = weights @ hit / size.where(size > 0, torch.nan)
        return recall.nanmean(dim=1, keepdim=True)

    return Statistic(statistic, within=SHARE)


def average_precision(score: Float[Tensor, " n"], positive: Int[Tensor, " n"]) -> Statistic:
    """Precision where each positive is reached, mean over positives; ties are one step."""
    level = torch.unique(score, return_inverse=True)[1]
    is_positive = positive.double()

    def statistic(weights: Tensor) -> Tensor:
        hits, all_ = (_at_level(w, level).flip(1) for w in (weights * is_positive, weights))
        precision = hits.cumsum(dim=1) / all_.cumsum(dim=1).clamp(min=1)
        total = hits.sum(dim=1, keepdim=True)
        return (precision * hits).sum(1, keepdim=True) / total.where(total > 0, torch.nan)

    return Statistic(statistic, within=SHARE)


def macro_f1(predicted: Int[Tensor, " n"], target: Int[Tensor, " n"]) -> Statistic:
    """2 hits / (named + there) of each class named or there, mean over these classes."""
    named, there = _members(predicted, target)
    both = named * there

    def statistic(weights: Tensor) -> Tensor:
        size = weights @ (named + there)
        f1 = 2 * (weights @ both) / size.where(size > 0, torch.nan)
        return f1.nanmean(dim=1, keepdim=True)

    return Statistic(statistic, within=SHARE)


def class_correlation(predicted: Int[Tensor, " n"], target: Int[Tensor, " n"]) -> Statistic:
    """Correlation of named and true class as indicator vectors (Gorodkin 2004, R_K).

    With two classes it is Pearson's r of 0 and 1; 0 where one class only is named or there.
    """
    named, there = _members(predicted, target)
    both = (named * there).sum(dim=1, keepdim=True)

    def statistic(weights: Tensor) -> Tensor:
        total = weights.sum(dim=1, keepdim=True)
        x, y = weights @ named / total, weights @ there / total
        xy, xx, yy = ((p * q).sum(1, keepdim=True) for p, q in ((x, y), (x, x), (y, y)))
        return _ratio(weights @ both / total - xy, (1 - xx) * (1 - yy))

    return Statistic(statistic, within=CORRELATION)


def _members(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Indicators (n, classes) of what is named and what is there."""
    _, level = torch.unique(torch.stack([predicted, target]), return_inverse=True)
    named, there = torch.nn.functional.one_hot(level).double()
    return named, there


def standardised(a: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Columns of mean 0 and mean square 1; zero where one varies by no more than rounding."""
    centre = centred(a)
    size = centre.square().mean(dim=0).sqrt()
    eps = torch.finfo(torch.float64).eps * a.double().abs().amax(dim=0)
    return torch.where(size > 4 * eps, centre / size.where(size > 4 * eps, 1.0), 0.0)


def correlations(a: Float[Tensor, "n k"], b: Float[Tensor, "n m"]) -> Float[Tensor, "k m"]:
    """Pearson's r of every column of one with every column of the other."""
    found: Tensor = standardised(a).T @ standardised(b) / len(a)
    return found


def matched(alike: Float[Tensor, "k m"]) -> Float[Tensor, " least"]:
    """How alike those are that are assigned to each other, one to one, of the largest sum."""
    rows, columns = linear_sum_assignment(alike.numpy(), maximize=True)
    return alike[rows, columns]


def _ratio(covariance: Tensor, variances: Tensor) -> Tensor:
    defined = variances > 1e-24
    return torch.where(defined, covariance / variances.where(defined, 1.0).sqrt(), 0.0)


def ranks(a: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Mid-ranks of the values."""
    level = torch.unique(a, return_inverse=True)[1]
    found: Tensor = _midrank(torch.ones(1, len(a), dtype=torch.float64), level)[0]
    return found


def _midrank(weights: Tensor, level: Tensor) -> Tensor:
    """Weight below each point plus half the weight at its own level, (b, n)."""
    at = _at_level(weights, level)
    return (at.cumsum(dim=1) - at / 2)[:, level]


def _at_level(weights: Tensor, level: Tensor) -> Tensor:
    """Weight at each level, (b, levels)."""
    at = torch.zeros(len(weights), int(level.max()) + 1, dtype=torch.float64)
    return at.index_add_(1, level, weights)
