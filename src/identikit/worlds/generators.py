"""Injective generators g: z -> x with their inverses.

Source: arXiv:2410.21869, section 4.1: x = A_L s(A_(L-1) ... s(A_1 z)), s the leaky ReLU with
slope 0.2. Entries uniform on (-1, 1), columns of unit norm, and only the best-conditioned of
many draws are kept. The paper's code waits, without bound, for draws that beat the best of
25,000; here the best `layers` of a fixed number are taken. Their condition numbers grow with d
(1.5 at d = 5, near 10 at d = 20), so there is a variant of the same form with orthogonal layers.
Shapes: z (n, d), x (n, D) with D >= d.
"""

import copy
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import leaky_relu

from identikit.core.errors import InputError

_MAX_DRAWS = 25_000
_SVD_BUDGET = 4e8  # draws times d^3: 25,000 draws to d = 25, 3,200 at 50, 400 at 100


@runtime_checkable
class Generator(Protocol):
    """An injective map."""

    def __call__(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n ..."]:
        """Observations of latents."""
        ...

    def to(self, device: torch.device | str) -> "Generator":
        """The same map on another device."""
        ...


@runtime_checkable
class InvertibleGenerator(Protocol):
    """A generator whose inverse is known."""

    def inverse(self, x: Float[Tensor, "n D"]) -> Float[Tensor, "n d"]:
        """Latents of observations on its range."""
        ...


class IdentityGenerator:
    """x = z: what is left when nothing has to be undone."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def __call__(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The latents themselves."""
        return z

    def inverse(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The observations themselves."""
        return x

    def to(self, device: torch.device | str) -> "IdentityGenerator":
        """Nothing to move."""
        return self


class InvertibleMLP:
    """Matrices A_1 (D, d), A_2 ... A_L (D, D) with leaky ReLUs between them.

    The relative error of a round trip is about the precision times the product of
    `condition_numbers`.
    """

    def __init__(self, weights: list[Tensor], *, slope: float = 0.2) -> None:
        for weight in weights:
            if weight.ndim != 2 or weight.shape[0] < weight.shape[1]:
                raise InputError(
                    "every weight must be a matrix (out, in) with out >= in; "
                    f"got shape {tuple(weight.shape)}."
                )
        if not slope > 0:
            raise InputError(f"slope must be > 0 for an inverse to exist; got {slope}.")
        self.slope = slope
        self.weights = [weight.float() for weight in weights]
        values = [torch.linalg.svdvals(weight.double()) for weight in self.weights]
        self.condition_numbers = [float(s[0] / s[-1]) for s in values]
        self._inverses = [torch.linalg.pinv(weight.double()) for weight in self.weights]

    def __call__(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n D"]:
        """Observations, in the precision of z."""
        x: Tensor = z @ self.weights[0].to(z.dtype).T
        for weight in self.weights[1:]:
            x = leaky_relu(x, self.slope) @ weight.to(z.dtype).T
        return x

    def inverse(self, x: Float[Tensor, "n D"]) -> Float[Tensor, "n d"]:
        """Latents, in the precision of x; the nearest ones if x is off the range."""
        z: Tensor = x.double() @ self._inverses[-1].T
        for inverse in self._inverses[-2::-1]:
            z = leaky_relu(z, 1 / self.slope) @ inverse.T
        return z.to(x.dtype)

    def to(self, device: torch.device | str) -> "InvertibleMLP":
        """The same map on another device."""
        moved = copy.copy(self)
        moved.weights = [weight.to(device) for weight in self.weights]
        moved._inverses = [inverse.to(device) for inverse in self._inverses]
        return moved


def build_invertible_mlp(
    dim: int,
    *,
    observation_dim: int | None = None,
    layers: int = 4,
    slope: float = 0.2,
    generator: torch.Generator,
) -> InvertibleMLP:
    """The paper's generator, on the random generator's device.

    Draws 25,000 matrices of each shape up to d = 25, then fewer, so that the time stays
    bounded: at least `layers` of them, which is all there is to choose from near d = 1024.
    """
    wide = _observation_dim(dim, observation_dim, layers)
    tall = _best_conditioned(wide, dim, keep=layers if wide == dim else 1, generator=generator)
    if wide > dim and layers > 1:
        tall += _best_conditioned(wide, wide, keep=layers - 1, generator=generator)
    return InvertibleMLP(tall, slope=slope)


def build_orthogonal_mlp(
    dim: int,
    *,
    observation_dim: int | None = None,
    layers: int = 4,
    slope: float = 0.2,
    generator: torch.Generator,
) -> InvertibleMLP:
    """The paper's generator but for its matrices, whose columns are orthonormal at random.

    Haar-distributed: every condition number is 1, at any d.
    """
    wide = _observation_dim(dim, observation_dim, layers)
    shapes = [(wide, dim)] + [(wide, wide)] * (layers - 1)
    return InvertibleMLP(
        [_orthonormal(*shape, generator=generator) for shape in shapes], slope=slope
    )


def _observation_dim(dim: int, observation_dim: int | None, layers: int) -> int:
    wide = dim if observation_dim is None else observation_dim
    if wide < dim:
        raise InputError(f"observation_dim must be at least dim ({dim}); got {wide}.")
    if layers < 1:
        raise InputError(f"layers must be at least 1; got {layers}.")
    return wide


def _orthonormal(rows: int, columns: int, *, generator: torch.Generator) -> Tensor:
    """Q of a normal matrix, its signs such that Q is Haar-distributed."""
    shape, device = (rows, columns), generator.device
    normal = torch.randn(shape, generator=generator, device=device, dtype=torch.float64)
    q, r = torch.linalg.qr(normal)
    signed: Tensor = q * r.diagonal().sign()
    return signed


def _best_conditioned(
    rows: int, columns: int, *, keep: int, generator: torch.Generator
) -> list[Tensor]:
    """The `keep` best-conditioned of many random matrices with unit-norm columns."""
    draws = max(keep, min(_MAX_DRAWS, int(_SVD_BUDGET / (rows * columns**2))))
    batch = max(1, 2**22 // (rows * columns))
    kept = torch.empty(0, rows, columns, device=generator.device)
    for start in range(0, draws, batch):
        shape = (min(batch, draws - start), rows, columns)
        drawn = torch.rand(shape, generator=generator, device=generator.device) * 2 - 1
        pool = torch.cat([kept, drawn / drawn.norm(dim=1, keepdim=True)])
        values = torch.linalg.svdvals(pool)
        kept = pool[torch.argsort(values[:, 0] / values[:, -1], stable=True)[:keep]]
    return list(kept)
