"""What can be read from a superposition h = sum_k z_k a_k of K factors in d < K dimensions.

By a linear map: with z of mean m and covariance C, the best affine map from h to z leaves the error
(z - m) E, E = 1 - A (A' C A)^+ A' C, and R²_j = 1 - (E' C E)_jj / C_jj. Whatever h is, with d
dimensions the mean R² of uncorrelated factors is d / K at most: the best maps are projections on
the span of d variables, and the squared lengths of projections of K orthonormal variables sum to
d (Bessel); of correlated ones it is the share of the d largest eigenvalues of their correlations.

By l1: min |y|_1 with sum_k y_k a_k = h, random atoms, is z for almost all z of rho d factors above
0 where rho is below the weak threshold (Donoho and Tanner 2009), by the formula of Donoho, Maleki
and Montanari 2009 (arXiv:0907.3574): with delta = d / K, c = 1 for y >= 0 and 2 for any sign,

    rho(delta) = max_t (1 - (c / delta) g(t)) / (1 + t² - c g(t)),  g = (1 + t²) Phi(-t) - t phi(t).

Shapes: atoms A (K, d), covariances (K, K).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from torch import Tensor

MOST_T = 10.0
"""Where g is below 1e-23."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorMoments:
    """Mean and covariance of factors."""

    mean: Float[Tensor, " K"]
    covariance: Float[Tensor, "K K"]

    @classmethod
    def of(cls, z: Float[Tensor, "n K"]) -> "FactorMoments":
        """Of draws."""
        return cls(mean=z.double().mean(dim=0), covariance=torch.cov(z.double().T, correction=0))


def linear_r2(
    atoms: Float[Tensor, "K d"], seen: FactorMoments, scored: FactorMoments
) -> Float[Tensor, " K"]:
    """R² of each factor by the best affine map of h for the factors seen, on others.

    Args:
        atoms: Of the superposition.
        seen: That the map is best for.
        scored: That it is held against; the same for the best that a linear map can do.
    """
    a, c = atoms.double(), seen.covariance
    inverse = torch.linalg.pinv(a.T @ c @ a, hermitian=True)
    error = torch.eye(len(a), dtype=torch.float64) - a @ inverse @ a.T @ c
    shift = (scored.mean - seen.mean) @ error
    left = (error * (scored.covariance @ error)).sum(dim=0) + shift.square()
    share: Tensor = left / scored.covariance.diagonal()
    return 1 - share


def most_linear_r2(covariance: Float[Tensor, "K K"], dim: int) -> float:
    """The largest mean R² of the factors by affine maps of any h of so many dimensions."""
    size = covariance.diagonal().sqrt()
    values = torch.linalg.eigvalsh(covariance / size / size[:, None])
    return float(values.flip(0)[:dim].sum() / len(size))


def weak_threshold(delta: float, *, signed: bool = False) -> float:
    """The share of d up to which so many factors above 0 are found by l1: rho(d / K).

    Args:
        delta: d / K, from above 0; from 1 on all are found.
        signed: Whether factors may have any sign; otherwise they are known to be positive.
    """
    if delta >= 1:
        return 1.0
    sides = 2 if signed else 1

    def rho(t: float) -> float:
        g = sides * ((1 + t * t) * norm.cdf(-t) - t * norm.pdf(t))
        return float((1 - g / delta) / (1 + t * t - g))

    return -_least(lambda t: -rho(t))


def _least(value: Callable[[float], float]) -> float:
    """Of a function with one valley on (0, MOST_T), from the best of a grid."""
    grid = np.linspace(0.01, MOST_T, 200)
    at = min(grid, key=value)
    ends = at - 0.05, at + 0.05
    return float(minimize_scalar(value, bounds=ends, method="bounded").fun)
