r"""Von Mises-Fisher: p(z|v) = exp(kappa v.z) / ((2 pi)^(d/2) I_(d/2-1)(kappa) kappa^(1-d/2)).

Source: arXiv:2410.21869, equation 1. The angle theta between z and v has density
proportional to exp(kappa cos theta) sin^(d-2) theta, and given theta the direction around v
is uniform. Working in theta keeps cos and sin exact to rounding for every kappa and d.
With one concentration for all centres theta comes from a table of its quantile function;
with one per centre it comes from Wood's rejection sampler (Wood 1994), which is exact.
Shapes: centres (k, d), samples (n, d), log-densities (n, k).
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import ndtri, xlogy
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.conditionals import Conditional, parameter
from identikit.worlds.config import MAX_CONCENTRATION

_REACH = 8.0  # float32 normal deviates stay well inside: none of 2^32 possible ones passes 6.7
_CELLS = 2**14


class VonMisesFisher(Conditional):
    """Von Mises-Fisher around each centre; a concentration of 0 is the uniform distribution."""

    spherical = True

    def __init__(self, centres: Float[Tensor, "k d"], *, concentration: float | Tensor) -> None:
        super().__init__(centres)
        self.concentration = parameter("concentration", concentration, centres)
        bad = self.concentration[
            ~((self.concentration >= 0) & (self.concentration <= MAX_CONCENTRATION))
        ]
        if len(bad):
            raise InputError(
                f"the concentration must be from 0 to {MAX_CONCENTRATION:g}; got {float(bad[0]):g}."
            )
        self.log_normalizer = log_normalizer(self.concentration, dim=self.dim)
        # Householder vectors: I - h h^T takes -+e_1 to v; this sign never cancels.
        first = torch.where(self.centres[:, :1] < 0, -1.0, 1.0)
        reflector = self.centres.clone()
        reflector[:, :1] += first
        self._reflector = reflector / (1 + self.centres[:, :1].abs()).sqrt()
        self._table: Tensor | None = None
        if self.concentration.ndim == 0:
            table = quantile_table(float(self.concentration), dim=self.dim)
            self._table = table.to(self.centres.device, torch.float32)

    def sample(
        self, component: Int[Tensor, " n"], *, generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        """cos(theta) v + sin(theta) u, with u uniform on the unit sphere around v."""
        n, device = len(component), self.centres.device
        if self._table is None:
            angle = rejection_angles(
                self.concentration[component], dim=self.dim, generator=generator
            )
        else:
            angle = table_angles(self._table, n, generator=generator)
        reflector = self._reflector.index_select(0, component)  # twice as fast as by brackets
        tangent = torch.randn(n, self.dim - 1, generator=generator, device=device)
        tangent[:, 0] += 1e-15  # float32 normals can all be exactly 0; a direction cannot
        length = torch.linalg.vector_norm(tangent, dim=1)
        along = -torch.sign(reflector[:, 0]) * angle.cos()
        z = torch.cat([along[:, None], tangent * (angle.sin() / length)[:, None]], dim=1)
        return torch.addcmul(z, (z * reflector).sum(1, keepdim=True), reflector, value=-1)

    def log_density(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Density of surface area at z's direction."""
        unit = torch.nn.functional.normalize(z.double())
        centres = torch.nn.functional.normalize(self.centres.double())
        return self.concentration * (unit @ centres.T) - self.log_normalizer


def log_normalizer(concentration: Float[Tensor, "*k"], *, dim: int) -> Float[Tensor, "*k"]:
    """Log of the integral of exp(kappa v.z) over the sphere, in float64.

    Gauss-Legendre quadrature over the angle: the integrand is entire in theta and at its
    narrowest (kappa = 10,000) still wider than several nodes, so it neither overflows nor
    loses digits where I_(d/2-1) does.
    """
    x, weight = (torch.as_tensor(a, device=concentration.device) for a in _legendre())
    angle = (x + 1) * (math.pi / 2)
    log_rest = (dim - 2) * angle.sin().log() + (weight * math.pi / 2).log()
    log_area = math.log(2) + (dim - 1) / 2 * math.log(math.pi) - math.lgamma((dim - 1) / 2)
    # kappa (cos theta - 1) without cancellation; the 1 is added back outside.
    fall = -2 * (angle / 2).sin().square()
    parts = [
        torch.logsumexp(part[:, None] * fall + log_rest, dim=1)
        for part in torch.split(concentration.reshape(-1), 4096)
    ]
    return torch.cat(parts).reshape(concentration.shape) + concentration + log_area


def _legendre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(512)


def quantile_table(concentration: float, *, dim: int) -> Float[Tensor, " nodes"]:
    """The angle theta as a function of a standard normal deviate g: F(theta) = Phi(g).

    A table in g rather than in a uniform variable has smooth tails, and float32 normals
    reach far into both of them. Nodes are uniform in g from -8 to 8.
    """

    def log_density(angle: np.ndarray) -> np.ndarray:
        value = xlogy(dim - 2, np.sin(angle)) - 2 * concentration * np.sin(angle / 2) ** 2
        return np.asarray(value)

    coarse = np.linspace(0, np.pi, 2**15)
    log_p = log_density(coarse)
    inside = np.flatnonzero(log_p > log_p.max() - 100)
    low, high = coarse[max(inside[0] - 1, 0)], coarse[min(inside[-1] + 1, len(coarse) - 1)]
    angle = low + (high - low) * np.linspace(0, 1, 2**16) ** 2  # densest where d = 2 starts at once
    p = np.exp(log_density(angle) - log_p.max())
    mass = np.diff(angle) * (p[1:] + p[:-1]) / 2
    below, above = np.cumsum(mass)[:-1], np.cumsum(mass[::-1])[::-1][1:]
    total = mass.sum()
    deviate = np.where(below < above, ndtri(below / total), -ndtri(above / total))
    nodes = np.linspace(-_REACH, _REACH, _CELLS + 1)
    return torch.from_numpy(np.interp(nodes, deviate, angle[1:-1]))


def table_angles(
    table: Float[Tensor, " nodes"], n: int, *, generator: torch.Generator
) -> Float[Tensor, " n"]:
    """Angles by linear interpolation of the quantile table at n normal deviates."""
    deviate = torch.randn(n, generator=generator, device=table.device)
    position = (deviate + _REACH).mul_(_CELLS / (2 * _REACH))
    cell = position.long()
    below, above = table.index_select(0, cell), table.index_select(0, cell + 1)
    return torch.lerp(below, above, position - cell)


def rejection_angles(
    concentration: Float[Tensor, " n"], *, dim: int, generator: torch.Generator
) -> Float[Tensor, " n"]:
    """One angle for each concentration (Wood 1994).

    The proposal is a uniform point of the sphere after stereographic projection, shrinking
    by sqrt(b) and projecting back: tan(theta / 2) = sqrt(b) tan(theta_0 / 2).
    """
    angle = torch.empty_like(concentration)
    todo = torch.arange(len(angle), device=angle.device)
    while len(todo):
        kappa = concentration[todo]
        b = (dim - 1) / (2 * kappa + torch.sqrt(4 * kappa.square() + (dim - 1) ** 2))
        y = torch.randn(len(todo), dim, generator=generator, device=angle.device)
        rest = torch.linalg.vector_norm(y[:, 1:], dim=1).double()
        half = torch.atan2(rest, y[:, 0].double()) / 2
        proposal = 2 * torch.atan(b.sqrt() * half.tan())
        peak = (1 - b) / (1 + b)
        log_ratio = kappa * (proposal.cos() - peak) + (dim - 1) * torch.log(
            (1 - peak * proposal.cos()) / (1 - peak.square())
        )
        u = torch.rand(len(todo), generator=generator, device=angle.device, dtype=torch.float64)
        kept = u.log() < log_ratio
        angle[todo[kept]] = proposal[kept]
        todo = todo[~kept]
    return angle.float()
