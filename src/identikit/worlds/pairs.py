"""Worlds of pairs without labels: z ~ p(z), z' ~ p(z'|z), x = g(z), x' = g(z').

What contrastive and joint-embedding objectives have theorems for. Uniform pairs: z uniform on the
sphere, z' von Mises-Fisher around it (Zimmermann et al., arXiv:2102.08850, section 3). Normal
pairs: z standard normal, z' = rho z + sqrt(1 - rho²) e with e standard normal (Klindt, LeCun and
Balestriero, arXiv:2605.26379). Both are symmetric: (z', z) is distributed as (z, z').
Shapes: z (n, d), x (n, D), log-density ratios (n, m).
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.worlds.generators import Generator, build_invertible_mlp
from identikit.worlds.von_mises_fisher import VonMisesFisher, log_normalizer
from identikit.worlds.world import WorldSample


class PairWorld(ABC):
    """Latents that come in pairs, seen through the paper's generator if no other is given.

    Args:
        dim: Number of latents d.
        seed: Of the paper's generator.
        generator: Another one to see them through, such as a renderer.
    """

    def __init__(self, *, dim: int, seed: int = 0, generator: Generator | None = None) -> None:
        self.dim = dim
        self.generator = generator or build_invertible_mlp(dim, generator=stream(seed, "generator"))

    @abstractmethod
    def draw_latents(
        self, n: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Latents z and z' of n pairs, float32."""

    @abstractmethod
    def log_ratio(
        self, z: Float[Tensor, "n d"], other: Float[Tensor, "m d"]
    ) -> Float[Tensor, "n m"]:
        """Log p(z'|z) / p(z') of every z with every other z', float64."""

    @property
    @abstractmethod
    def correlation(self) -> float:
        """E[z_j z'_j] / E[z_j²]: the largest eigenvalue of f -> E[f(z')|z] below that of constants.

        It is that of the d coordinates; all other functions change more within a pair.
        """

    def sample_pairs(
        self, n: int, *, generator: torch.Generator
    ) -> tuple[WorldSample, WorldSample]:
        """Both views of n pairs; the label is the pair's number."""
        pair = torch.arange(n)
        first, second = (
            WorldSample(x=self.generator(z), z=z, label=pair)
            for z in self.draw_latents(n, generator)
        )
        return first, second

    def sample(self, n: int, *, generator: torch.Generator) -> WorldSample:
        """The first views of n pairs."""
        return self.sample_pairs(n, generator=generator)[0]


class UniformPairs(PairWorld):
    """Latents uniform on the sphere, their partners von Mises-Fisher around them.

    Args:
        dim: Number of latents d.
        kappa: Concentration of the partner.
        seed: Of the paper's generator.
        generator: Another one to see them through.

    Raises:
        InputError: a concentration that is not positive, or above 10,000.
    """

    def __init__(
        self, *, dim: int, kappa: int | float, seed: int = 0, generator: Generator | None = None
    ) -> None:
        if not kappa > 0:
            raise InputError(f"kappa must be positive for pairs to be alike; got {kappa}.")
        super().__init__(dim=dim, seed=seed, generator=generator)
        self.kappa = float(kappa)
        self._around_pole = VonMisesFisher(torch.eye(1, dim), concentration=self.kappa)

    def draw_latents(
        self, n: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """A random turn of the pole and of a sample around it."""
        z = torch.nn.functional.normalize(torch.randn(n, self.dim, generator=generator))
        at_pole = torch.zeros(n, dtype=torch.long)
        return z, _from_pole(z, self._around_pole.sample(at_pole, generator=generator))

    def log_ratio(
        self, z: Float[Tensor, "n d"], other: Float[Tensor, "m d"]
    ) -> Float[Tensor, "n m"]:
        """Kappa z . z' less its log-mean over the sphere."""
        ends = torch.tensor([self.kappa, 0.0], dtype=torch.float64)
        constant = log_normalizer(ends, dim=self.dim)
        return self.kappa * z.double() @ other.double().T - (constant[0] - constant[1])

    @property
    def correlation(self) -> float:
        """The mean of z . z': the derivative of the log-normaliser by kappa."""
        kappa = torch.tensor([self.kappa], dtype=torch.float64, requires_grad=True)
        (mean,) = torch.autograd.grad(log_normalizer(kappa, dim=self.dim).sum(), kappa)
        return float(mean)


class NormalPairs(PairWorld):
    """Standard normal latents, their partners one step of an Ornstein-Uhlenbeck process on.

    Args:
        dim: Number of latents d.
        correlation: Of z_j and z'_j, between 0 and 1.
        seed: Of the generator.

    Raises:
        InputError: a correlation that is not between 0 and 1.
    """

    def __init__(self, *, dim: int, correlation: float, seed: int = 0) -> None:
        if not 0 < correlation < 1:
            raise InputError(f"correlation must be between 0 and 1; got {correlation}.")
        super().__init__(dim=dim, seed=seed)
        self._correlation = correlation

    @property
    def correlation(self) -> float:
        """As it was given."""
        return self._correlation

    def draw_latents(
        self, n: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Two standard normal samples, mixed."""
        z, noise = torch.randn(2, n, self.dim, generator=generator)
        return z, self.correlation * z + (1 - self.correlation**2) ** 0.5 * noise

    def log_ratio(
        self, z: Float[Tensor, "n d"], other: Float[Tensor, "m d"]
    ) -> Float[Tensor, "n m"]:
        """Of N(rho z, 1 - rho²) to N(0, 1), summed over the components."""
        left = 1 - self.correlation**2
        apart = torch.cdist(self.correlation * z.double(), other.double()).square() / left
        gap = other.double().square().sum(1) - apart
        return (gap - self.dim * torch.tensor(left, dtype=torch.float64).log()) / 2


def _from_pole(z: Float[Tensor, "n d"], at_pole: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Points as they lie around e_1, moved to lie so around z: the reflection of e_1 onto z."""
    mirror = z.clone()
    mirror[:, 0] -= 1
    size = mirror.square().sum(1, keepdim=True)
    along = (mirror * at_pole).sum(1, keepdim=True) / size.clamp_min(torch.finfo(z.dtype).tiny)
    return at_pole - 2 * along * mirror
