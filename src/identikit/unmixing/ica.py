"""ICA of whitened rows: the best of several starts, in a fixed order, with how stable that is.

x = (h - mean) K with K' C K = 1 on the first principal axes, y = x W', W orthonormal (k, k) by
symmetric FastICA, g = tanh (Hyvarinen 1999). Of several starts the one of the largest contrast
sum_k (E log cosh y_k - E log cosh of a Gaussian)² is kept. Starts and resamples are of 10,000 rows
at most, in float32, whose rounding is a thousandth of what so many rows leave open; what is kept
goes on from there on all rows in float64; resamples begin at what is kept, and the 1 / corr² - 1
that they show is taken times 10,000 / n. Components of two
fits are matched by |W_1 W_2'|, which is their correlation. Order and signs: the least Gaussian
component first; each has its longer tail above 0 (E tanh y < 0), or, where that is not clear, its
largest weight on h above 0.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.linalg import above_cut_off, whitening
from identikit.core.memory_mapped import row_blocks
from identikit.core.randomness import random_rotation
from identikit.probing.regression import CompressedFeatures
from identikit.statistics.measures import matched

GAUSSIAN_LOG_COSH = 0.3745672075
"""E log cosh of a standard normal."""
ITERATIONS = 500
TOLERANCE = 1e-5
MOST_ROWS = 10_000
"""For starts and for resamples."""
ROWS = 4096
"""At a time."""
SKEWED = 4.0
"""Standard errors from which a component counts as skewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class White:
    """Centred rows along the first principal axes, each of variance 1 on the rows fitted on."""

    x: Float[Tensor, "n k"]
    mean: Float[Tensor, " d"]
    map: Float[Tensor, "d k"]
    """K: x is (h - mean) K."""
    rank: int
    """Directions in which h varies."""
    share: float
    """Of the variance of h, in the axes kept."""

    @classmethod
    def of(
        cls,
        h: Tensor,
        fitted: Int[Tensor, " m"],
        *,
        least: int,
        most: int,
        share: float,
    ) -> "White":
        """Whiten in two passes over the rows; nothing of n x d is kept.

        Args:
            h: Features.
            fitted: Rows that mean and covariance are of.
            least: Axes to keep at least.
            most: And at most; never more than h varies in.
            share: Of the variance, for as many axes as hold it.
        """
        own = CompressedFeatures.of(h, fitted=fitted, scaled=False)
        n, d = len(fitted), own.h.shape[1]
        sums = [own.h[part].double().sum(dim=0) for part in row_blocks(own.h, fitted)]
        mean = torch.stack(sums).sum(dim=0) / n
        gram = mean.new_zeros(d, d)
        for part in row_blocks(own.h, fitted):
            block = own.h[part].double() - mean
            gram.addmm_(block.T, block)
        values, vectors = (found.flip(-1) for found in torch.linalg.eigh(gram / n))
        noise = own.eps * (mean.square().max() + values[0]).sqrt().item()
        above = above_cut_off(values * n, shape=(n, d), noise=noise, squared=True)
        rank = int(above.sum())
        held = values.clamp(min=0).cumsum(0) / values.clamp(min=0).sum()
        k = min(max(int((held < share).sum()) + 1, least), most, rank)
        map_ = vectors[:, :k] / values[:k].sqrt()
        x = torch.cat([(own.h[p].double() - mean) @ map_ for p in row_blocks(own.h)])
        if own.basis is not None:
            mean, map_ = own.basis @ mean, own.basis @ map_
        return cls(
            x=x,
            mean=mean,
            map=map_,
            rank=rank,
            share=held[k - 1].item() if k else 0.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmixed:
    """Rotations of whitened rows, and how they came out again."""

    W: Float[Tensor, "k k"]
    """y = x W', in order and with signs."""
    contrast: float
    converged: bool
    starts: Float[Tensor, "starts k"]
    """Correlation of each component with its match in every other start."""
    resamples: Float[Tensor, "resamples k"]
    """The same in resamples of the rows, as for all of them."""


def unmix_rows(
    x: Float[Tensor, "n k"],
    K: Float[Tensor, "d k"],
    *,
    groups: Int[Tensor, " n"],
    starts: int,
    resamples: int,
    generator: torch.Generator,
) -> Unmixed:
    """Find W on whitened rows.

    Args:
        x: Rows.
        K: The map from h to x, for signs.
        groups: Of each row; resampled as wholes.
        starts: Random ones, the first on all rows.
        resamples: Of the rows.
        generator: Of starts and resamples.
    """
    n, k = x.shape
    part = x[torch.randperm(n, generator=generator)[:MOST_ROWS]].float()
    found = [fast_ica(part, random_rotation(k, generator))[0] for _ in range(starts)]
    best = max(range(starts), key=lambda i: contrast(part @ found[i].float().T).sum().item())
    W, converged = fast_ica(x, found[best])
    W = _in_order(x, W, K)
    others = [_matched(W, other) for i, other in enumerate(found) if i != best]
    drawn = []
    for _ in range(resamples):
        rows = _resample(groups, len(part) / n, generator)
        own = x[rows]
        white = whitening(own.T @ own / len(rows))  # about the mean of all rows
        turned, _ = fast_ica((own @ white).float(), W @ white)  # near W from the start
        again = _matched(W, turned @ white.T)
        drawn.append((1 + (again**-2 - 1) * len(part) / n).rsqrt())  # as for n rows
    empty = x.new_zeros(0, k)
    return Unmixed(
        W=W,
        contrast=contrast(x @ W.T).sum().item(),
        converged=converged,
        starts=torch.stack(others) if others else empty,
        resamples=torch.stack(drawn) if drawn else empty,
    )


def fast_ica(x: Float[Tensor, "n k"], W: Float[Tensor, "k k"]) -> tuple[Float[Tensor, "k k"], bool]:
    """Symmetric FastICA from a start, in the precision of x, and whether it converged."""
    for _ in range(ITERATIONS):
        last, turn = W, W.T.to(x.dtype)
        moved, slope = torch.zeros_like(W), W.new_zeros(len(W), 1)
        for rows in x.split(ROWS):
            g = torch.tanh(rows @ turn)
            moved += g.T @ rows
            slope += len(rows) - g.square().sum(dim=0)[:, None]
        left, _, right = torch.linalg.svd(moved - slope * W)
        W = left @ right
        if ((W * last).sum(dim=1).abs() - 1).abs().max() < TOLERANCE:
            return W, True
    return W, False


def contrast(y: Float[Tensor, "n k"]) -> Float[Tensor, " k"]:
    """How far each component is from Gaussian: (E log cosh y - that of a Gaussian)²."""
    size = y.abs()  # log cosh, of any size
    mean = (size + torch.log1p((-2 * size).exp()) - math.log(2)).mean(dim=0)
    return (mean - GAUSSIAN_LOG_COSH).square()


def _in_order(x: Tensor, W: Tensor, K: Tensor) -> Tensor:
    y = x @ W.T
    order = contrast(y).argsort(descending=True, stable=True)
    W, bent = W[order], torch.tanh(y[:, order])
    skew, error = -bent.mean(dim=0), bent.std(dim=0) / len(x) ** 0.5
    weights = K @ W.T
    largest = weights.gather(0, weights.abs().argmax(dim=0, keepdim=True))[0]
    sign = torch.where(skew.abs() > SKEWED * error, skew, largest).sign()
    return W * sign.where(sign != 0, 1.0)[:, None]


def _matched(W: Tensor, other: Tensor) -> Float[Tensor, " k"]:
    """Correlation of each component with its match among others, on whitened rows."""
    return matched((W @ torch.nn.functional.normalize(other, dim=1).T).abs()).clamp(max=1)


def _resample(groups: Tensor, share: float, generator: torch.Generator) -> Int[Tensor, " m"]:
    """Rows of as many groups, drawn with replacement, as make up a share of all."""
    _, group, count = torch.unique(groups, return_inverse=True, return_counts=True)
    drawn = torch.randint(len(count), (max(1, round(share * len(count))),), generator=generator)
    rows, start, many = group.argsort(stable=True), count.cumsum(0) - count, count[drawn]
    place = torch.arange(int(many.sum())) - (many.cumsum(0) - many).repeat_interleave(many)
    found: Tensor = rows[start[drawn].repeat_interleave(many) + place]
    return found
