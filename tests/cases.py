"""Representations whose score is known by construction, for every measure to meet."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from identikit.statistics.permutation import Units

N, DIM = 2000, 4


def known_recovery_case(
    r2: Tensor, *, n: int, d_h: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(h, z) whose least-squares R² of z on [1, h] equals `r2`, factor by factor."""
    f64: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    raw = torch.randn(n, d_h + len(r2), **f64)
    basis, _ = torch.linalg.qr(raw - raw.mean(0))  # orthonormal and orthogonal to the constant
    q, e = basis[:, :d_h], basis[:, d_h:]  # e is invisible to any map linear in h
    b = torch.nn.functional.normalize(torch.randn(d_h, len(r2), **f64), dim=0)
    z = q @ b * r2.sqrt() + e * (1 - r2).sqrt()
    return q @ torch.randn(d_h, d_h, **f64) + 3.0, z - 7.0  # mixing and shifts must not matter


def rotation(dim: int, generator: torch.Generator) -> Tensor:
    """A random orthogonal matrix."""
    square = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    turn: Tensor = torch.linalg.qr(square).Q
    return turn


def mixing(dim: int, generator: torch.Generator) -> Tensor:
    """A well-conditioned matrix that is far from a scaled rotation: singular values 1 to 3."""
    stretch = torch.linspace(1, 3, dim, dtype=torch.float64)
    return rotation(dim, generator) * stretch @ rotation(dim, generator)


def latents(generator: torch.Generator, *, n: int = N, dim: int = DIM) -> Tensor:
    """Independent standard normal factors."""
    return torch.randn(n, dim, generator=generator, dtype=torch.float64)


def held_out(label: Tensor) -> Units:
    """Held-out samples of these groups, none of which fitted the map."""
    return Units(label, torch.zeros(len(label), dtype=torch.bool))


Encoder = Callable[[Tensor, torch.Generator], Tensor]

PERFECT: dict[str, Encoder] = {
    "identity": lambda z, g: z,
    "rotation": lambda z, g: z @ rotation(z.shape[1], g),
    "affine map": lambda z, g: z @ mixing(z.shape[1], g) + 5.0,
    "duplicated dimensions": lambda z, g: torch.cat([z, z @ mixing(z.shape[1], g)], dim=1),
    "dead dimensions": lambda z, g: torch.cat([z.new_zeros(len(z), 2), z, z[:, :1] * 0 + 7], dim=1),
    "float32": lambda z, g: (z @ mixing(z.shape[1], g)).float(),
}
"""All factors are an affine function of h."""

USELESS: dict[str, Encoder] = {
    "constant": lambda z, g: torch.ones_like(z),
    "zero": lambda z, g: torch.zeros_like(z),
    "noise": lambda z, g: torch.randn(z.shape, generator=g, dtype=torch.float64),
}
"""No factor is any function of h."""

FLAWED: dict[str, Encoder] = {
    "nonlinear bijection": lambda z, g: z.pow(3) @ mixing(z.shape[1], g),
    "one factor dropped": lambda z, g: z[:, 1:] @ mixing(z.shape[1] - 1, g),
}
"""The first keeps all information but not linearly; the second lacks z1."""
