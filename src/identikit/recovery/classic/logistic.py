"""Linear classifiers of several factors on the same rows, fitted all at once.

min_W sum_n -log p(y_n | x_n) + |W|²/2, constants free: scikit-learn's objective at C = 1, for x in
standard units. `softmax`: one classifier for each factor; otherwise one for each level, against
all other rows. Solved jointly by L-BFGS in the principal coordinates of x, from the linear
discriminants, in float32, until the loss changes by less than 1e-4 of itself.
x is (n, p); y (n, t) says for each of the t levels of all factors whether a row has it.
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import softplus

FEWEST = 0.05
"""Added to the covariance within levels, which may vanish, for the starting point."""


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
    size, axes = np.linalg.eigh((x - centre).T @ (x - centre) / n)
    kept = size > max(size[-1], 1.0) * len(size) * np.finfo(float).eps
    unit = axes[:, kept] / np.sqrt(size[kept])
    u = torch.from_numpy((x - centre) @ unit)
    target = torch.from_numpy(y)
    start = _discriminants(u, target, levels if softmax else [1] * y.shape[1])
    rows, columns, has = u.float(), u.T.float().contiguous(), target.T.float().contiguous()
    penalty = torch.from_numpy(1 / size[kept]).float() / n

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = torch.from_numpy(flat).float().reshape(y.shape[1], -1)
        f = torch.addmm(w[:, -1:], w[:, :-1], columns)  # (t, n): reductions run along rows
        normaliser, p = _softmax(f, levels) if softmax else (softplus(f), torch.sigmoid(f))
        loss = (normaliser.sum() - torch.tensordot(has, f, dims=2)) / n
        loss += (penalty * w[:, :-1].square()).sum() / 2
        error = p.sub_(has).div_(n)
        slope = torch.cat([error @ rows + penalty * w[:, :-1], error.sum(1, keepdim=True)], dim=1)
        return loss.item(), slope.double().numpy().ravel()

    found = minimize(
        objective,
        start.numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 200, "gtol": 1e-5, "ftol": 1e-4},
    )
    w = found.x.reshape(y.shape[1], -1).T
    weight = unit @ w[:-1]
    return weight, w[-1] - centre @ weight


def _softmax(f: Tensor, levels: list[int]) -> tuple[Tensor, Tensor]:
    """Log of the sum over each factor's levels (k, n), and the shares of the levels (t, n)."""
    log_sums, shares = [], []
    for part in torch.split(f, levels):
        top = part.amax(dim=0)
        share = (part - top).exp_()
        total = share.sum(dim=0)
        log_sums.append(top + total.log())
        shares.append(share.div_(total))
    return torch.stack(log_sums), torch.cat(shares)


def _discriminants(u: Tensor, y: Tensor, levels: list[int]) -> Tensor:
    """Linear discriminants (t, r + 1) for u with unit covariance; constants are last.

    A factor of one column is that column against the rest.
    """
    found: list[Tensor] = []
    moments, shares = u.T @ y / len(u), y.mean(dim=0)
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
    return torch.cat(found)
