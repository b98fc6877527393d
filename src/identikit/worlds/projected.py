"""z = (v + scale * noise) / |v + scale * noise|: normal, Laplace and generalised normal.

Source: arXiv:2410.21869, section 4.1 and its code (spaces.py). The density on the sphere is
the integral along the ray through z, p(z|v) = int_0^inf r^(d-1) p0(r z - v) dr (ours).
Shapes: centres (k, d), samples (n, d), log-densities (n, k).
"""

import math
from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.conditionals import Conditional, of_component, scale_parameter
from identikit.worlds.radial import Rays

_BLOCK = 2**16  # numbers in a (sample, centre, d) work array, so that it stays in cache

_STEEPEST = 1e12  # largest |e / scale|^exponent between unit vectors; float64 then keeps 1e-4


class _Projected(Conditional):
    """What the three families share."""

    spherical = True

    def __init__(self, centres: Float[Tensor, "k d"], *, scale: float | Tensor) -> None:
        super().__init__(centres)
        self.scale = scale_parameter(scale, centres)

    @abstractmethod
    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Float32 noise of unit scale."""

    @abstractmethod
    def _log_radial(self, z: Float[Tensor, "n d"], v: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
        """Log of the integral over the ray, for unit vectors in float64."""

    def sample(
        self, component: Int[Tensor, " n"], *, generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        """Noise added to the centre, then projected."""
        centre = self.centres[component]
        noise = self._noise(centre.shape, generator)
        return torch.nn.functional.normalize(centre + of_component(self.scale, component) * noise)

    def log_density(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Density of surface area at z's direction."""
        bad = int((~((z.abs().amax(1) > 0) & z.isfinite().all(1))).sum())
        if bad:
            raise InputError(
                f"z must be finite and nonzero to have a direction; {bad} of {len(z)} rows are not."
            )
        unit = torch.nn.functional.normalize(z.double())
        centres = torch.nn.functional.normalize(self.centres.double())
        rows = max(1, _BLOCK // centres.numel())
        return torch.cat([self._log_radial(part, centres) for part in torch.split(unit, rows)])


class ProjectedNormal(_Projected):
    """Isotropic normal noise of standard deviation `scale`."""

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        return torch.randn(shape, generator=generator, device=self.centres.device)

    def _log_radial(self, z: Float[Tensor, "n d"], v: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
        """With q = r / scale and mu = v.z / scale: int q^(d-1) exp(-(q - mu)^2 / 2) dq.

        Trapezoid rule in log q around the mode, in units of the curvature there: the
        integrand is analytic and vanishes at both ends, so it converges geometrically.
        """
        d = self.dim
        mu = (z @ v.T) / self.scale
        mode = (mu + torch.sqrt(mu.square() + 4 * d)) / 2
        width = 1 / torch.sqrt(mode.square() + d)
        total = torch.zeros_like(mu)
        for t in torch.arange(-18.0, 9.0, 0.5, dtype=torch.float64).tolist():
            q = mode * torch.exp(t * width)
            total += torch.exp(d * t * width - (q - mode) * ((q + mode) / 2 - mu))
        log_m = d * mode.log() - (mode - mu).square() / 2 + (0.5 * width * total).log()
        rest = (1 / self.scale.square() - mu.square()) / 2
        return log_m - rest - d / 2 * math.log(2 * math.pi)


class ProjectedGeneralizedNormal(_Projected):
    """Independent noise with density proportional to exp(-|e / scale|^exponent).

    Args:
        centres: Unit vectors.
        scale: One, or one for each centre.
        exponent: At least 1, where the density along a ray has one peak.
    """

    def __init__(
        self, centres: Float[Tensor, "k d"], *, scale: float | Tensor, exponent: float
    ) -> None:
        super().__init__(centres, scale=scale)
        if not 1 <= exponent < math.inf:
            raise InputError(f"exponent must be finite and at least 1; got {exponent}.")
        self.exponent = float(exponent)
        narrowest = 2 / _STEEPEST ** (1 / self.exponent)
        if float(self.scale.min()) < narrowest:
            raise InputError(
                f"scale must be at least {narrowest:.2g} for exponent {self.exponent:g}, or the "
                f"log-density loses its digits; got {float(self.scale.min()):g}."
            )

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        size = self._size(torch.empty(shape, device=self.centres.device), generator)
        coin = torch.rand(shape, generator=generator, device=self.centres.device)
        return torch.where(coin < 0.5, -size, size)

    def _size(self, out: Tensor, generator: torch.Generator) -> Tensor:
        """Absolute values: |e|^exponent has a gamma distribution of shape 1 / exponent."""
        gamma = torch._standard_gamma(out.fill_(1 / self.exponent), generator=generator)
        return gamma.pow_(1 / self.exponent)

    def _log_radial(self, z: Float[Tensor, "n d"], v: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
        """Quadrature along every ray, in units of the scale."""
        shape = (self.dim, len(z), len(v))
        directions = (z.T[:, :, None] / self.scale).expand(shape).reshape(self.dim, -1)
        centres = (v.T[:, None, :] / self.scale).expand(shape).reshape(self.dim, -1)
        integral = Rays(directions, centres, exponent=self.exponent).log_integral()
        constant = math.log(2) + math.lgamma(1 + 1 / self.exponent) + self.scale.log()
        return integral.reshape(shape[1:]) - self.dim * constant


class ProjectedLaplace(ProjectedGeneralizedNormal):
    """Independent Laplace noise, `scale` its mean absolute deviation per coordinate."""

    def __init__(self, centres: Float[Tensor, "k d"], *, scale: float | Tensor) -> None:
        super().__init__(centres, scale=scale, exponent=1.0)

    def _size(self, out: Tensor, generator: torch.Generator) -> Tensor:
        return out.exponential_(generator=generator)
