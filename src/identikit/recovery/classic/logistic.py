"""Logistic regressions, one for each of t yes-or-no targets, all at once.

min_{w, b} sum_n [log(1 + exp f_n) - y_n f_n] + |w|²/2, f = x w + b: scikit-learn's objective at
C = 1, for x in standard units. Solved jointly by L-BFGS in the principal coordinates of x, where
the Hessian is nearly a multiple of the identity, from the linear-discriminant solution.
x is (n, p), y (n, t).
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import softplus

FEWEST = 0.05
"""Least share of a target's variance that the starting point takes as unexplained."""


def fit_logistic(
    x: Float[np.ndarray, "n p"], y: Float[np.ndarray, "n t"]
) -> tuple[Float[np.ndarray, "p t"], Float[np.ndarray, " t"]]:
    """Weights and constants; columns of x must be in standard units, those of y vary."""
    n = len(x)
    centre = x.mean(axis=0)
    size, axes = np.linalg.eigh((x - centre).T @ (x - centre) / n)
    kept = size > max(size[-1], 1.0) * len(size) * np.finfo(float).eps
    size, axes = size[kept], axes[:, kept]
    unit = axes / np.sqrt(size)
    u = torch.from_numpy((x - centre) @ unit)
    target = torch.from_numpy(y)
    penalty = torch.from_numpy(1 / size)[:, None] / n

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = torch.from_numpy(flat).reshape(-1, y.shape[1])
        f = torch.addmm(w[-1], u, w[:-1])
        loss = (softplus(f) - target * f).sum() / n + (penalty * w[:-1].square()).sum() / 2
        error = torch.sigmoid(f) - target
        slope = torch.cat([u.T @ error / n + penalty * w[:-1], error.mean(0, keepdim=True)])
        return loss.item(), slope.numpy().ravel()

    found = minimize(
        objective,
        _discriminant(u, target).numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 200, "gtol": 1e-5, "ftol": 1e-9},
    )
    w = found.x.reshape(-1, y.shape[1])
    weight = unit @ w[:-1]
    return weight, w[-1] - centre @ weight


def _discriminant(u: Tensor, y: Tensor) -> Tensor:
    """Linear discriminants for u with unit covariance; the constants are the last row."""
    share = y.mean(dim=0)
    slope = u.T @ (y - share) / len(u)
    variance = share * (1 - share)
    unexplained = (1 - slope.square().sum(dim=0) / variance).clamp(min=FEWEST)
    weight = slope / (variance * unexplained)
    middle = (slope * weight).sum(dim=0) * (1 / share - 1 / (1 - share)) / 2
    return torch.cat([weight, (torch.logit(share) - middle)[None]])
