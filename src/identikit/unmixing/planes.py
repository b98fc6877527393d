"""Which rotations the data can tell apart: the curvature of the contrast of ICA in every plane.

ICA turns whitened components y (n, k) so that sum_k s_k E G(y_k) is extreme, G = log cosh, g =
tanh, s_k = ±1 the sign of E[y_k g(y_k) - g'(y_k)]. To turn y_k and y_l into each other by a small
angle a lessens that sum by a² c_kl / 2,

    c_kl = s_k E[y_k g(y_k) - g'(y_k) y_l²] + s_l E[y_l g(y_l) - g'(y_l) y_k²]

which is 0 for every isotropic distribution (two Gaussians, a uniform sphere): then no rotation of
the plane is better than another, and what ICA returns there is arbitrary. On rows that had no say
in y, c_kl is a mean, which a test holds against 0; whitening that is off by e moves it by e² only.
Components joined by planes whose c_kl is not shown to differ from 0 form a group within which
names mean nothing.

For independent factors the correlation of a component with its factor is known, too. With, for
standardised s_k, mu = E[s g(s)], gamma = E[g²] - mu², tau = |mu - E g'(s)|, the off-diagonal
entries of the gain of symmetric FastICA from n samples have variance V_kl / n (Tichavsky,
Koldovsky and Oja 2006, IEEE Trans. Signal Process. 54, 1189-1203), so that

    V_kl = (gamma_k + gamma_l + tau_l²) / (tau_k + tau_l)²
    corr(y_k, s_k) = (1 + sum_l V_kl / n)^(-1/2)
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtr
from torch import Tensor

from identikit.core.estimate import Estimate
from identikit.core.finding import LEVEL
from identikit.core.randomness import random_rotation, stream
from identikit.statistics.measures import matched
from identikit.unmixing.ica import ROWS

TURNS = 200
"""Random rotations behind an expected correlation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planes:
    """The curvature in every plane of two components, and which of them are determined."""

    curvature: Float[Tensor, "k k"]
    t: Float[Tensor, "k k"]
    """Curvature over its standard error; 0 on the diagonal."""
    group: tuple[int, ...]
    """Number of the group of each component."""

    @property
    def alone(self) -> Bool[Tensor, " k"]:
        """Which components are determined up to sign: alone in their group."""
        group = torch.tensor(self.group)
        return torch.bincount(group)[group] == 1

    @classmethod
    def of(cls, y: Float[Tensor, "n k"], signs: Float[Tensor, " k"]) -> "Planes":
        """Test all planes together (Bonferroni), so that a group falls apart by chance in 1 of 20.

        Args:
            y: Standardised components of rows that had no say in what the components are.
            signs: `contrast_signs` of the rows that had.
        """
        n, k = y.shape
        mean, square = y.new_zeros(k, k), y.new_zeros(k, k)
        for rows in y.split(ROWS):
            g, q = torch.tanh(rows), rows.square()
            a, s = signs * rows * g, signs * (1 - g.square())
            # a_k + a_l - s_k y_l² - s_l y_k², and its square: half of each as products of matrices
            mean += a.sum(dim=0) - s.T @ q
            square += a.square().sum(dim=0) + a.T @ a + (s * q).T @ (s * q)
            square += s.square().T @ q.square() - 2 * ((a * s).T @ q + (a * q).T @ s)
        curvature = (mean + mean.T) / n
        variance = ((square + square.T) / n - curvature.square()).clamp(min=0) / (n - 1)
        t = curvature / variance.sqrt().where(variance > 0, torch.inf)
        t.fill_diagonal_(0)
        p = 2 * ndtr(-t.abs().numpy())
        joined = p * max(1.0, k * (k - 1) / 2) > LEVEL
        np.fill_diagonal(joined, False)
        group = connected_components(joined, directed=False)[1]
        return cls(curvature=curvature, t=t, group=tuple(group.tolist()))


def pooled(
    y: Float[Tensor, "n k"], signs: Float[Tensor, " k"], members: Int[Tensor, " m"]
) -> float:
    """Mean curvature of all planes of a group over its standard error: more sure than each plane.

    Args:
        y: As for `Planes.of`.
        signs: The same.
        members: Components of the group, two or more.
    """
    y, signs = y[:, members], signs[members]
    g, square = torch.tanh(y), y.square()
    others = square.sum(dim=1, keepdim=True) - square
    rows = signs * ((len(members) - 1) * y * g - (1 - g.square()) * others)
    mean = rows.sum(dim=1)
    return float((mean.mean() / mean.std()).item() * len(y) ** 0.5)


def contrast_signs(y: Float[Tensor, "n k"]) -> Float[Tensor, " k"]:
    """1 for a component whose tails are lighter than Gaussian, -1 where they are heavier."""
    g = torch.tanh(y)
    return torch.where((y * g + g.square()).mean(dim=0) < 1, -1.0, 1.0).double()


def gain_variance(s: Float[Tensor, "n k"]) -> Float[Tensor, "k k"]:
    """V, n times the variance of the gain of component k from factor l; 0 on the diagonal.

    Args:
        s: Independent factors, which are standardised here; infinite for two Gaussians.
    """
    s = (s - s.mean(dim=0)) / s.std(dim=0)
    g = torch.tanh(s)
    mu = (s * g).mean(dim=0)
    gamma = g.square().mean(dim=0) - mu.square()
    tau = (mu - (1 - g.square()).mean(dim=0)).abs()
    V: Tensor = (gamma[:, None] + gamma + tau.square()) / (tau[:, None] + tau).square()
    return V.fill_diagonal_(0)


def expected_correlation(s: Float[Tensor, "n k"], *, n: int) -> Float[Tensor, " k"]:
    """Correlation of each independent factor with its component, found from n samples."""
    return (1 + gain_variance(s).sum(dim=1) / n).rsqrt()


def enough_samples(s: Float[Tensor, "n k"], *, correlation: float = 0.99) -> float:
    """Samples from which every factor has a component of that correlation with it."""
    return (gain_variance(s).sum(dim=1).max() / (correlation**-2 - 1)).item()


def random_correlations(*, components: int, factors: int) -> tuple[Estimate, Estimate]:
    """|Correlation| of factors with their best components in random rotations of them.

    The mean over the factors, and of each; the interval is that of 95 % of the rotations.
    """
    generator, drawn = stream(0, "random rotations"), []
    for _ in range(TURNS):
        drawn.append(matched(random_rotation(components, generator).abs()[:, :factors]))
    each = torch.stack(drawn)
    return _spread(each.mean(dim=1)), _spread(each.flatten())


def _spread(values: Tensor) -> Estimate:
    low, high = values.quantile(values.new_tensor([0.025, 0.975])).tolist()
    return Estimate(values.mean().item(), low, high)
