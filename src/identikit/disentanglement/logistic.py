"""Linear classifiers of several factors on the same rows, fitted all at once.

min_W sum_n -log p(y_n | x_n) + |W|²/2, constants free: scikit-learn's objective at C = 1, for x in
standard units. `softmax`: one classifier for each factor; otherwise one for each level, against
all other rows. Solved jointly by L-BFGS in float32, in the principal coordinates of x over the root
of the curvature, from linear discriminants, until the loss changes by less than 6e-5 of itself.
x is (n, p); y (n, t) says for each of the t levels of all factors whether a row has it.

It stays beside `probing.logistic`, which has weights of rows and penalties of problems: that comes
to the same losses within 3e-3 of themselves, and takes 4.0 to 8.2 times as long where levels
compete, 1.3 to 1.8 times where each stands against the rest, at tolerances from 1e-4 to 1e-6
(6,667 x 64 codes, 6 factors; `python -m benchmarks.logistic_solvers`, before it went by Newton's
method).
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import softplus

LEAST_LOG_SHARE = -60.0
"""Log of a share below which it counts as this: arithmetic with denormal numbers is slow."""
FEWEST = 0.05
"""Added to the covariance within levels, which may vanish, for the starting point."""
SCALES = [2 ** (power / 2) for power in range(-2, 5)]
"""By which discriminants are tried, each factor's by themselves."""
EVERY = 8
"""Row, of all, that chooses the scales and shows the curvature."""
FLATTEST = 1e-3
"""Curvature below which it counts as this."""


def fit_logistic(
    x: Float[np.ndarray, "n p"],
    y: Float[np.ndarray, "n t"],
    *,
    levels: list[int],
    softmax: bool,
) -> tuple[Float[np.ndarray, "p t"], Float[np.ndarray, " t"]]:
    """Weights and constants.

    Args:
        x: Columns in standard units.
        y: 1 where a row has a level, 0 elsewhere; no column is constant.
        levels: How many columns of y belong to each factor.
        softmax: Whether the levels of a factor compete, or each stands against the rest.
    """
    n = len(x)
    centre = x.mean(axis=0)
    centred = x - centre
    size, axes = np.linalg.eigh(centred.T @ centred / n)
    kept = size > max(size[-1], 1.0) * len(size) * np.finfo(float).eps
    unit = axes[:, kept] / np.sqrt(size[kept])
    columns = torch.from_numpy((unit.T @ centred.T).astype(np.float32))
    has = torch.from_numpy(np.ascontiguousarray(y.T, np.float32))
    penalty = torch.from_numpy(1 / size[kept]).float()[None] / n
    start, root = _start(columns, has, penalty, levels, softmax)

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = torch.from_numpy(flat).float().reshape(start.shape) / root
        f = torch.addmm(w[:, -1:], w[:, :-1], columns)  # (t, n): reductions run along rows
        fits, p = _shares(f, has, levels, softmax)
        loss = (penalty * w[:, :-1].square()).sum() / 2 - fits.sum() / n
        error = p.sub_(has).div_(n)
        slope = torch.cat([error @ columns.T + penalty * w[:, :-1], error.sum(1, True)], dim=1)
        return loss.item(), (slope / root).double().numpy().ravel()

    found = minimize(
        objective,
        (start * root).double().numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 200, "gtol": 1e-5, "ftol": 6e-5},
    )
    w = (found.x.reshape(start.shape) / root.double().numpy()).T
    weight = unit @ w[:-1]
    return weight, w[-1] - centre @ weight


def log_softmax(f: Float[Tensor, "t n"], levels: list[int]) -> Float[Tensor, "t n"]:
    """Log of the shares of the levels, each factor's by themselves."""
    return torch.cat([torch.log_softmax(part, dim=0) for part in torch.split(f, levels)])


def _shares(f: Tensor, has: Tensor, levels: list[int], softmax: bool) -> tuple[Tensor, Tensor]:
    """Log-likelihood of each level (t,) and the shares (t, n), in the place of f."""
    if softmax:
        f = log_softmax(f, levels)
        return (has * f).sum(dim=1), f.clamp_(min=LEAST_LOG_SHARE).exp_()
    return (has * f - softplus(f)).sum(dim=1), f.sigmoid_()


def _start(
    columns: Tensor, has: Tensor, penalty: Tensor, levels: list[int], softmax: bool
) -> tuple[Tensor, Tensor]:
    """Discriminants, scaled to the least loss, and the root of the curvature there (t, r + 1)."""
    apart = levels if softmax else [1] * len(has)
    w = _discriminants(columns, has, apart)
    some, seen = columns[:, ::EVERY].contiguous(), has[:, ::EVERY].contiguous()
    f = torch.addmm(w[:, -1:], w[:, :-1], some)
    cost = (penalty * w[:, :-1].square()).sum(dim=1) / 2
    fits = torch.stack([_shares(scale * f, seen, levels, softmax)[0] for scale in SCALES])
    scales = torch.tensor(SCALES)
    loss = scales[:, None].square() * cost - fits / some.shape[1]
    best = torch.stack([part.sum(dim=1) for part in torch.split(loss, apart, dim=1)]).argmin(dim=1)
    scale = scales[best].repeat_interleave(torch.tensor(apart))[:, None]
    p = _shares(scale * f, seen, levels, softmax)[1]
    curved = (p * (1 - p)).mean(dim=1, keepdim=True).clamp(min=FLATTEST)
    root = torch.cat([curved + penalty, curved], dim=1).sqrt()
    return scale * w, root / root.min()


def _discriminants(u: Tensor, y: Tensor, levels: list[int]) -> Tensor:
    """Linear discriminants (t, r + 1) for u (r, n) with unit covariance; constants are last.

    A factor of one column is that column against the rest.
    """
    found: list[Tensor] = []
    moments, shares = (u @ y.T).double() / y.shape[1], y.double().mean(dim=1)
    for moment, share in zip(
        torch.split(moments, levels, 1), torch.split(shares, levels), strict=True
    ):
        if len(share) == 1:
            moment, share = torch.cat([-moment, moment], dim=1), torch.cat([1 - share, share])
        mean = moment / share
        within = (1 + FEWEST) * torch.eye(len(share)).double() - share[:, None] * (mean.T @ mean)
        weight = torch.linalg.solve(within.T, mean.T)
        constant = share.log() - (mean.T * weight).sum(dim=1) / 2
        rule = torch.cat([weight, constant[:, None]], dim=1)
        found.append(rule if moment.shape[1] == levels[len(found)] else rule[1:] - rule[:1])
    return torch.cat(found).float()
