"""Scores of a prediction as functions of weights on the points: (b, n) -> (b, k).

With all weights one they are the usual scores; with bootstrap counts they are the scores
of the resample. Sums run over centred float64 columns of unit size, so neither scale nor
shift of a factor moves them.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.linalg import centred
from identikit.recovery.bootstrap import Statistic


def r2(
    prediction: Float[Tensor, "n k"], target: Float[Tensor, "n k"], *, pooled: bool = False
) -> Statistic:
    """R² = 1 - sum e² / sum (t - mean t)², per column or pooled over the columns."""
    t = centred(target)
    size = t.square().mean(dim=0).sqrt()
    size = size.square().mean().sqrt().expand_as(size) if pooled else size
    t = t / size
    e2 = ((target.double() - prediction.double()) / size).square()
    parts = torch.cat([e2, t, t.square()], dim=1)

    def statistic(weights: Tensor) -> Tensor:
        sums = weights @ parts / weights.sum(dim=1, keepdim=True)
        error, mean, square = sums.chunk(3, dim=1)
        variance = square - mean.square()
        if pooled:
            error, variance = error.sum(1, keepdim=True), variance.sum(1, keepdim=True)
        return 1 - error / variance.where(variance > 1e-12, torch.nan)

    return statistic


def correlation(a: Float[Tensor, "n k"], b: Float[Tensor, "n k"]) -> Statistic:
    """Pearson's r of matching columns; 0 where a column does not vary."""
    x, y = _standardised(a), _standardised(b)
    parts = torch.cat([x, y, x.square(), y.square(), x * y], dim=1)

    def statistic(weights: Tensor) -> Tensor:
        sums = weights @ parts / weights.sum(dim=1, keepdim=True)
        mx, my, xx, yy, xy = sums.chunk(5, dim=1)
        return _ratio(xy - mx * my, (xx - mx.square()) * (yy - my.square()))

    return statistic


def spearman(a: Float[Tensor, " n"], b: Float[Tensor, " n"]) -> Statistic:
    """Correlation of mid-ranks, ranked anew in every resample."""
    levels = [torch.unique(v, return_inverse=True)[1] for v in (a, b)]

    def statistic(weights: Tensor) -> Tensor:
        total = weights.sum(dim=1, keepdim=True)
        x, y = (_midrank(weights, level) / total - 0.5 for level in levels)
        xy, xx, yy = ((weights * p).sum(1, keepdim=True) for p in (x * y, x * x, y * y))
        return _ratio(xy / total, xx * yy / total.square())  # mid-ranks have mean one half

    return statistic


def auc(score: Float[Tensor, " n"], positive: Int[Tensor, " n"]) -> Statistic:
    """Chance that a positive scores above a negative, ties counting half."""
    level = torch.unique(score, return_inverse=True)[1]
    is_positive = positive.double()

    def statistic(weights: Tensor) -> Tensor:
        above, below = weights * is_positive, weights * (1 - is_positive)
        wins = (above * _midrank(below, level)).sum(1, keepdim=True)
        pairs = above.sum(1, keepdim=True) * below.sum(1, keepdim=True)
        return wins / pairs.where(pairs > 0, torch.nan)

    return statistic


def balanced_accuracy(predicted: Int[Tensor, " n"], target: Int[Tensor, " n"]) -> Statistic:
    """Share of hits in each class that occurs, mean over these classes."""
    present, level = torch.unique(target, return_inverse=True)
    member = torch.nn.functional.one_hot(level, len(present)).double()
    hit = member * (predicted == target)[:, None]

    def statistic(weights: Tensor) -> Tensor:
        size = weights @ member
        recall = weights @ hit / size.where(size > 0, torch.nan)
        return recall.nanmean(dim=1, keepdim=True)

    return statistic


def _standardised(a: Tensor) -> Tensor:
    centre = centred(a)
    size = centre.square().mean(dim=0).sqrt()
    eps = torch.finfo(torch.float64).eps * a.double().abs().amax(dim=0)
    return torch.where(size > 4 * eps, centre / size.where(size > 4 * eps, 1.0), 0.0)


def _ratio(covariance: Tensor, variances: Tensor) -> Tensor:
    defined = variances > 1e-24
    return torch.where(defined, covariance / variances.where(defined, 1.0).sqrt(), 0.0)


def _midrank(weights: Tensor, level: Tensor) -> Tensor:
    """Weight below each point plus half the weight at its own level, (b, n)."""
    at = torch.zeros(len(weights), int(level.max()) + 1, dtype=torch.float64)
    at.index_add_(1, level, weights)
    return (at.cumsum(dim=1) - at / 2)[:, level]
