"""MCC after componentwise maps: mean |corr(z_j, m_j(h_k(j)))|, a column of h and a map each.

What is recovered up to order and an invertible function of each component scores 1, whatever the
functions are; a rotation does not. The map from h_k to z_j is the mean of z_j in each of 32 bins of
h_k of equal count, joined by straight lines; maps and assignment are fitted on one half of the
samples and scored on the other. Source: Hyvarinen and Morioka, arXiv:1605.06336, section 6, whose
correlations are of components as they are: `mcc_strong` of `maps`. h (n, d_h), z (n, d_z).
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.estimate import Scores
from identikit.core.randomness import stream
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap
from identikit.statistics.split import random_split

BINS = 32


def componentwise_mcc(
    h: Float[Tensor, "n d_h"], z: Float[Tensor, "n d_z"], *, seed: int = 0, resamples: int = 1000
) -> Scores:
    """Correlation of each factor with the best function of one column of h.

    Args:
        h: Features.
        z: Factors.
        seed: Of the split and the resamples.
        resamples: Behind each interval.

    Raises:
        InputError: fewer columns of h than factors.
    """
    if h.shape[1] < z.shape[1]:
        raise InputError(
            f"each factor needs a column of h of its own; got {h.shape[1]} columns for "
            f"{z.shape[1]} factors."
        )
    split = random_split(
        torch.arange(len(z)), train_share=0.5, generator=stream(seed, "componentwise split")
    )
    x, y = h.double().numpy(), z.double().numpy()
    train, test = split.train.numpy(), split.test.numpy()
    mapped = np.stack([_mapped(x[:, k], y, train) for k in range(x.shape[1])])
    centred = mapped[:, train] - mapped[:, train].mean(1, keepdims=True)
    fit = (centred * (y[train] - y[train].mean(0))).sum(1)
    size = np.sqrt((centred**2).sum(1)) * np.sqrt(((y[train] - y[train].mean(0)) ** 2).sum(0))
    columns, factors = linear_sum_assignment(fit / np.maximum(size, 1e-300), maximize=True)
    best = mapped[columns[np.argsort(factors)], :, np.sort(factors)].T[test]
    bootstrap = Bootstrap(
        torch.arange(len(test)),
        resamples=resamples,
        generator=stream(seed, "componentwise resamples"),
    )
    statistic = measures.correlation(torch.from_numpy(best), torch.from_numpy(y[test]))
    return bootstrap.scores(statistic)[0]


def _mapped(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, "n k"], train: np.ndarray
) -> Float[np.ndarray, "n k"]:
    """Each column of y as a function of x, for all samples."""
    order = train[np.argsort(x[train], kind="stable")]
    bins = np.array_split(order, min(BINS, len(order)))
    at = np.array([x[rows].mean() for rows in bins])
    level = np.array([y[rows].mean(0) for rows in bins])
    return np.stack([np.interp(x, at, column) for column in level.T], axis=1)
