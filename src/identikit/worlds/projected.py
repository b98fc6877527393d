"""z = (v + scale * noise) / |v + scale * noise|: normal, Laplace and generalised normal.

Source: arXiv:2410.21869, section 4.1 and its code (spaces.py). The density on the sphere is
the integral over the ray through z, p(z|v) = int_0^inf r^(d-1) p0(r z - v) dr.
Shapes: centres (k, d), samples (n, d), log-densities (n, k).
"""

import math
from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.errors import InputError
from identikit.worlds.conditionals import Conditional, of_component, parameter

_BLOCK = 2**15  # (sample, centre) pairs at a time: float64 work arrays stay in cache


class _Projected(Conditional):
    """What the three families share."""

    spherical = True

    def __init__(self, centres: Float[Tensor, "k d"], *, scale: float | Tensor) -> None:
        super().__init__(centres)
        self.scale = parameter("scale", scale, centres)

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
        unit = torch.nn.functional.normalize(z.double())
        centres = torch.nn.functional.normalize(self.centres.double())
        rows = max(1, _BLOCK // len(centres))
        return torch.cat([self._log_radial(part, centres) for part in unit.split(rows)])


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


class ProjectedLaplace(_Projected):
    """Independent Laplace noise of scale `scale` (mean absolute deviation) per coordinate."""

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        u = torch.rand(shape, generator=generator, device=self.centres.device) - 0.5
        return -torch.sign(u) * torch.log1p(-2 * u.abs())

    def _log_radial(self, z: Float[Tensor, "n d"], v: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
        d, s = self.dim, self.scale
        peak = 1.0
        r = torch.linspace(0, 1, 801, dtype=torch.float64)[1:] ** 2 * (peak + 40 * float(s.max()))
        lw = (torch.gradient(r)[0]).log()
        terms = torch.stack(
            [
                (d - 1) * x.log() + w - torch.cdist(x * z, v, p=1.0) / s
                for x, w in zip(r, lw, strict=True)
            ]
        )
        return torch.logsumexp(terms, 0) - d * torch.log(2 * s)


class ProjectedGeneralizedNormal(_Projected):
    """Independent noise with density proportional to exp(-|e / scale|^exponent)."""

    def __init__(
        self, centres: Float[Tensor, "k d"], *, scale: float | Tensor, exponent: float
    ) -> None:
        super().__init__(centres, scale=scale)
        if not 1 <= exponent < math.inf:
            raise InputError(f"exponent must be finite and at least 1; got {exponent}.")
        self.exponent = exponent

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        shape_parameter = torch.full(shape, 1 / self.exponent, device=self.centres.device)
        size = torch._standard_gamma(shape_parameter, generator=generator) ** (1 / self.exponent)
        coin = torch.rand(shape, generator=generator, device=self.centres.device)
        return torch.where(coin < 0.5, -size, size)

    def _log_radial(self, z: Float[Tensor, "n d"], v: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
        raise NotImplementedError
