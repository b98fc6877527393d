"""p(z | v): what surrounds a cluster centre v, as a sampler and a log-density.

Source: arXiv:2410.21869, section 4.1 and its code (spaces.py); mixtures of Gaussians were
asked for by its reviewers. The projected families and the von Mises-Fisher distribution
live on the sphere and have their own modules; here stand the interface and the two
families that live in R^d.
Shapes: centres (k, d), component indices (n,), samples (n, d), log-densities (n, k).
"""

import copy
import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.config import CovarianceKind


class Conditional(ABC):
    """A distribution around each of k centres."""

    spherical: ClassVar[bool]
    """Whether samples have unit norm; the density is then one of surface area."""
    centres: Float[Tensor, "k d"]
    """Float32."""

    def __init__(self, centres: Float[Tensor, "k d"]) -> None:
        if centres.shape[1] < 2 and self.spherical:
            raise InputError(f"the sphere needs dim >= 2; got centres with {centres.shape[1]}.")
        off = float((torch.linalg.vector_norm(centres, dim=1) - 1).abs().max())
        if self.spherical and not off < 1e-3:
            raise InputError(
                f"centres of a distribution on the sphere must have unit norm; the norm of one "
                f"is off by {off:.3g}. Divide each by its norm."
            )
        self.centres = centres.float()

    @property
    def dim(self) -> int:
        """Number of latent dimensions d."""
        return self.centres.shape[1]

    @abstractmethod
    def sample(
        self, component: Int[Tensor, " n"], *, generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        """One float32 sample around each indexed centre; the generator is on its device."""

    @abstractmethod
    def log_density(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Log p(z | v) for every centre, in float64."""

    def to(self, device: torch.device | str) -> "Conditional":
        """The same distribution with everything on another device."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        return moved


def parameter(name: str, value: float | Tensor, centres: Tensor) -> Tensor:
    """A parameter as float64, scalar or one per centre.

    Raises:
        InputError: any other shape.
    """
    result = torch.as_tensor(value, dtype=torch.float64, device=centres.device)
    if result.shape not in (torch.Size([]), torch.Size([len(centres)])):
        raise InputError(
            f"{name} must be one number or one per centre ({len(centres)}); "
            f"got shape {tuple(result.shape)}."
        )
    return result


def scale_parameter(value: float | Tensor, centres: Tensor) -> Tensor:
    """A width: as `parameter`, and positive."""
    scale = parameter("scale", value, centres)
    bad = scale[~((scale > 0) & scale.isfinite())]
    if len(bad):
        raise InputError(f"scale must be finite and > 0; got {float(bad[0]):g}.")
    return scale


def of_component(value: Tensor, component: Int[Tensor, " n"]) -> Tensor:
    """The parameter's value for each index, ready to broadcast against (n, d)."""
    return (value[component, None] if value.ndim else value).float()


class TruncatedLaplace(Conditional):
    """Independent Laplace coordinates around v, cut to the box [-bound, bound]^d.

    As in the paper's code, and not on the sphere: samples fill the box, whatever the norm
    of the centres. `centres` must lie inside the box.
    """

    spherical = False

    def __init__(
        self, centres: Float[Tensor, "k d"], *, scale: float | Tensor, bound: float = 2.0
    ) -> None:
        super().__init__(centres)
        self.scale = scale_parameter(scale, centres)
        if not bound > float(self.centres.abs().max()):
            raise InputError(f"bound must exceed every coordinate of the centres; got {bound}.")
        self.bound = bound

    def _tails(self) -> tuple[Tensor, Tensor]:
        """Mass of the untruncated Laplace below and above the box, per coordinate (k, d)."""
        v, width = self.centres.double(), self.scale.unsqueeze(-1)
        return (
            0.5 * torch.exp(-(self.bound + v) / width),
            0.5 * torch.exp(-(self.bound - v) / width),
        )

    def sample(
        self, component: Int[Tensor, " n"], *, generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        """Inverse of the truncated distribution function, coordinate by coordinate."""
        below, above = (tail[component] for tail in self._tails())
        u = torch.rand(below.shape, generator=generator, device=below.device, dtype=torch.float64)
        u = below + u * (1 - below - above)
        noise = torch.where(u < 0.5, torch.log(2 * u), -torch.log(2 * (1 - u))).float()
        z = self.centres[component] + of_component(self.scale, component) * noise
        return z.clamp(-self.bound, self.bound)

    def log_density(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Density in R^d; minus infinity outside the box."""
        below, above = self._tails()
        constant = (torch.log1p(-below - above) + torch.log(2 * self.scale).unsqueeze(-1)).sum(1)
        distance = torch.cdist(z.double(), self.centres.double(), p=1.0)
        outside = (z.abs() > self.bound).any(1, keepdim=True)
        inside: Tensor = -distance / self.scale - constant
        return inside.masked_fill(outside, -math.inf)


class Gaussian(Conditional):
    """Normal around v with a covariance shared by all centres (d, d) or one each (k, d, d)."""

    spherical = False

    def __init__(self, centres: Float[Tensor, "k d"], *, covariance: Tensor) -> None:
        super().__init__(centres)
        k, d = centres.shape
        if covariance.shape not in (torch.Size([d, d]), torch.Size([k, d, d])):
            raise InputError(
                f"covariance must have shape {(d, d)} or {(k, d, d)}; "
                f"got {tuple(covariance.shape)}."
            )
        factor, failed = torch.linalg.cholesky_ex(covariance.double())
        if bool(failed.any()):
            raise InputError("covariance must be symmetric positive definite, each of them.")
        self.factor = factor

    def sample(
        self, component: Int[Tensor, " n"], *, generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        """The centre plus L e, with L L^T the covariance and e standard normal."""
        centre = self.centres[component]
        noise = torch.randn(centre.shape, generator=generator, device=centre.device)
        factor = self.factor if self.factor.ndim == 2 else self.factor[component]
        z: Tensor = centre + (factor.float() @ noise[:, :, None]).squeeze(2)
        return z

    def log_density(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Density in R^d through whitened differences."""
        white = torch.linalg.inv(self.factor)
        log_det = self.factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = 0.5 * self.dim * math.log(2 * math.pi) + log_det
        at = torch.einsum("...ij,nj->n...i", white, z.double())
        if self.factor.ndim == 2:
            at = at.unsqueeze(1)
        shift = torch.einsum("...ij,...j->...i", white, self.centres.double())
        log_p: Tensor = -0.5 * (at - shift).square().sum(-1) - constant
        return log_p


def random_gaussian(
    centres: Float[Tensor, "K d"],
    *,
    scale: float,
    covariance: CovarianceKind,
    classes: int,
    generator: torch.Generator,
) -> Gaussian:
    """Gaussians of random covariances, one for all or one for each of `classes`.

    The centres are of class 0 first, as many for each class.
    """
    k, d = centres.shape
    count = 1 if covariance == "shared" else classes
    drawn = scale**2 * random_covariances(count, dim=d, generator=generator)
    each = drawn.repeat_interleave(k // classes, dim=0)
    return Gaussian(centres, covariance=drawn[0] if covariance == "shared" else each)


def random_covariances(
    count: int, *, dim: int, generator: torch.Generator
) -> Float[Tensor, "count dim dim"]:
    """Random axes with variances whose logarithms are uniform from log 1/2 to log 2.

    So the condition number is at most 4 and a typical variance is 1.
    """
    where = generator.device
    raw = torch.randn(count, dim, dim, generator=generator, device=where, dtype=torch.float64)
    axes = torch.linalg.qr(raw).Q
    u = torch.rand(count, 1, dim, generator=generator, device=where, dtype=torch.float64)
    covariances: Tensor = (axes * 2 ** (2 * u - 1)) @ axes.mT
    return covariances
