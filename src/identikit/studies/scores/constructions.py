"""Factors and codes of which it is known by construction what is identified, and up to what.

Factors z (n, k) are standard normal. A structure makes them depend on each other, or keeps the last
one from the encoder; an encoder makes codes h (n, m) of those that it sees. After the grid of Joshi
et al., *Who Guards the Guardians?* (UAI 2026, arXiv:2602.24278): four structures, ten encoders.
"""

from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.randomness import random_rotation

CORRELATION = 0.7
"""Of any two correlated factors."""
TURN = 3.0
"""Radians by which the mixed encoder turns a pair of factors, for each unit of their distance from
the origin."""


class UpTo(StrEnum):
    """What a score forgives."""

    ANYTHING = "any function of all factors"
    LINEAR = "a linear map"
    COMPONENTS = "order and a function of each factor"


STRUCTURES = {
    "independent": "independent factors",
    "correlated": f"any two have correlation {CORRELATION}",
    "dependent": "the last is the sum of the first two, in standard units",
    "dropped": "independent, and the last is kept from the encoder",
    "correlated, dropped": "correlated, and the last is kept from the encoder",
}
ENCODERS: dict[str, tuple[str, frozenset[UpTo]]] = {
    "identity": ("the factors in another order, with signs and scales", frozenset(UpTo)),
    "rotated": ("a rotation of them", frozenset({UpTo.ANYTHING, UpTo.LINEAR})),
    "cubed": ("the cube of each", frozenset({UpTo.ANYTHING, UpTo.COMPONENTS})),
    "overcomplete": (
        "three random mixtures for each factor",
        frozenset({UpTo.ANYTHING, UpTo.LINEAR}),
    ),
    "redundant": ("each factor twice", frozenset(UpTo)),
    "mixed": (
        "pairs turned by an angle that grows with their length, then rotated: invertible, and "
        "neither linear nor componentwise",
        frozenset({UpTo.ANYTHING}),
    ),
    "nothing": ("as many random numbers", frozenset()),
    "padded": ("identity, and random numbers beside it", frozenset(UpTo)),
}
"""What each one makes of the factors, and up to what these are identified by that."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One construction."""

    structure: str
    encoder: str
    samples: int
    factors: int
    codes: int | None = None
    """Where an encoder may have any number."""

    def truth(self, up_to: UpTo) -> float:
        """The share of the factors that are identified up to that."""
        if up_to not in ENCODERS[self.encoder][1]:
            return 0.0
        seen = self.factors - self.structure.endswith("dropped")
        return seen / self.factors

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Codes and factors."""
        z = _factors(self.structure, self.samples, self.factors, generator)
        seen = z[:, :-1] if self.structure.endswith("dropped") else z
        return _codes(self.encoder, seen, self.codes, generator), z


def _normal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


def _factors(structure: str, n: int, k: int, generator: torch.Generator) -> Float[Tensor, "n k"]:
    z = _normal(n, k, generator)
    if structure.startswith("correlated"):
        common = _normal(n, 1, generator)
        z = float((1 - CORRELATION) ** 0.5) * z + float(CORRELATION**0.5) * common
    if structure == "dependent":
        z[:, -1] = (z[:, 0] + z[:, 1]) / 2**0.5
    return z


def _codes(
    encoder: str, z: Float[Tensor, "n k"], codes: int | None, generator: torch.Generator
) -> Float[Tensor, "n m"]:
    n, k = z.shape
    match encoder:
        case "rotated":
            return z @ random_rotation(k, generator)
        case "cubed":
            return z**3
        case "overcomplete":
            return z @ _normal(k, 3 * k, generator)
        case "redundant":
            return torch.cat([z, -z], dim=1)
        case "mixed":
            return _turned(z) @ random_rotation(k, generator)
        case "nothing":
            return _normal(n, codes or k, generator)
    order = torch.randperm(k, generator=generator)
    scales = 0.5 + torch.rand(k, generator=generator, dtype=torch.float64)
    signs = torch.randint(2, (k,), generator=generator) * 2 - 1
    h = z[:, order] * scales * signs
    if encoder == "padded" and codes:
        h = torch.cat([h, _normal(n, codes - k, generator)], dim=1)
    return h


def _turned(z: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Pairs of neighbours turned; one that is left alone goes with the first pair's length."""
    n, k = z.shape
    pairs = z[:, : k - k % 2].reshape(n, -1, 2)
    angle = TURN * pairs.norm(dim=2)
    x, y = pairs.unbind(dim=2)
    turned = torch.stack(
        [angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y], dim=2
    ).reshape(n, -1)
    if k % 2:
        turned = torch.cat([turned, z[:, -1:] * angle[:, :1].cos().sign()], dim=1)
    return turned
