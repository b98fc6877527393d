"""VICReg: L = 25 E|h - h'|² / d + 25 (v(h) + v(h')) + c(h) + c(h') over positive pairs (h, h').

v(h) = mean_j max(0, 1 - sqrt(Var h_j + 0.0001)) holds each dimension up, c(h) = sum of the squared
covariances of different dimensions / d keeps them apart. h' is the second view.
At the optimum h spans the functions of z that change least within a pair: the d leading
eigenfunctions of the pairs' operator (T f)(z) = E[f(z')|z]. On a sphere with uniform z and von
Mises-Fisher pairs these are the coordinates of z, so h is z but for a scaled rotation.
Source: Bardes, Ponce and LeCun, arXiv:2105.04906, equations 1 to 6, the squared distance as in
its official code the mean over dimensions; Balestriero and LeCun, arXiv:2205.11508, for the
spectral view. Shapes: y and h (2 p, d), p pairs.
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from identikit.objectives.objective import Objective
from identikit.objectives.views import two_views

EPSILON = 1e-4
"""Under the root, as in the paper."""


class VICReg(Objective):
    """Variance, invariance, covariance.

    Args:
        invariance: Weight of the squared distance.
        variance: Weight of the hinge on standard deviations.
        covariance: Weight of the covariances.
    """

    def __init__(
        self,
        *,
        invariance: int | float = 25.0,
        variance: int | float = 25.0,
        covariance: int | float = 1.0,
    ) -> None:
        super().__init__()
        self.invariance, self.variance, self.covariance = invariance, variance, covariance

    def features(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The encoder's outputs as they are."""
        return y

    def loss(
        self,
        y: Float[Tensor, "n d"],
        target: Shaped[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """The three terms of a batch; draws nothing and is the same throughout.

        Raises:
            InputError: fewer than two pairs, or rows that do not come in pairs.
        """
        del generator, progress
        views = two_views(y, target, objective="VICReg")
        moved = (views[0] - views[1]).square().mean()
        covariances = [_covariance(view) for view in views]
        held = sum(_hinge(c) for c in covariances)
        apart = sum(_off_diagonal(c) for c in covariances)
        return self.invariance * moved + self.variance * held + self.covariance * apart


def _covariance(h: Tensor) -> Tensor:
    centred = h - h.mean(0)
    return centred.T @ centred / (len(h) - 1)


def _hinge(covariance: Tensor) -> Tensor:
    return torch.relu(1 - (covariance.diagonal() + EPSILON).sqrt()).mean()


def _off_diagonal(covariance: Tensor) -> Tensor:
    return (covariance - covariance.diagonal().diag()).square().sum() / len(covariance)
