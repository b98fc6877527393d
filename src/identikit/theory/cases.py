"""The four cases of theorem 1: what is held at unit norm, and what is identified up to what.

The optimum has (w_i - w_j) . h(z) = (kappa / beta) (v_i - v_j) . z, so h = A z and
w_i = B v_i + psi with A'B = kappa / beta, whatever has unit norm. |h| = 1 on the whole sphere makes
A orthogonal. Unit rows make v'(B'B - s)v + 2 psi'B v = 0 for all v_i, s = 1 - |psi|²: if the
products (v_a v_b, v_a) have full rank, that is B orthogonal and psi = 0; if A is orthogonal
already, affinely spanning v_i suffice. Source: arXiv:2410.21869, theorem 1 and appendix A; that all
products are needed, not only the squares, is ours.
"""

from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.linalg import above_cut_off


class Case(StrEnum):
    """By what has unit norm: features h(z), rows w_i, both (times a learned beta) or neither."""

    C1 = "C1"
    """Both: h orthogonal, the rows h(v), and beta = kappa."""
    C2 = "C2"
    """Features: h orthogonal, rows (kappa / beta) h(v) + psi, psi one constant vector."""
    C3 = "C3"
    """Rows, if the data are diverse: h = (kappa / beta) O z, rows O v, O orthogonal."""
    C4 = "C4"
    """Neither: h linear, rows an affine image of v."""

    @classmethod
    def of(cls, *, unit_features: bool, unit_rows: bool) -> "Case":
        """The case of a head."""
        if unit_features:
            return cls.C1 if unit_rows else cls.C2
        return cls.C3 if unit_rows else cls.C4

    @property
    def unit_features(self) -> bool:
        """Whether features have unit norm."""
        return self in (Case.C1, Case.C2)

    @property
    def unit_rows(self) -> bool:
        """Whether rows have unit norm."""
        return self in (Case.C1, Case.C3)

    @property
    def words(self) -> str:
        """What has unit norm, in words."""
        return {
            Case.C1: "unit-norm features and rows",
            Case.C2: "unit-norm features and free rows",
            Case.C3: "unit-norm rows and free features",
            Case.C4: "free features and rows",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What theorem 1 fixes of h = A z and w_i = B v_i + psi; None: nothing."""

    length_of_h: float | None = None
    """Of all singular values of A."""
    length_of_rows: float | None = None
    """Of all singular values of B."""
    constant: float | None = None
    """|psi|."""
    temperature: float | None = None
    """beta, where it is learned and nothing absorbs it."""
    one_rotation: bool = False
    """Whether A and B are lengths times the same rotation."""


def promise(case: Case, *, kappa: float, temperature: float) -> Promise:
    """What holds in a world that meets every assumption.

    Args:
        case: Of the head.
        kappa: Concentration of the world.
        temperature: beta of the head, 1 where features or rows absorb it.
    """
    length = kappa / temperature
    if case is Case.C1:
        return Promise(
            length_of_h=1.0,
            length_of_rows=1.0,
            constant=0.0,
            temperature=kappa,
            one_rotation=True,
        )
    if case is Case.C2:
        return Promise(length_of_h=1.0, length_of_rows=length, one_rotation=True)
    if case is Case.C3:
        return Promise(length_of_h=length, length_of_rows=1.0, constant=0.0, one_rotation=True)
    return Promise()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diversity:
    """Whether unit rows leave only a rotation: the rank of products of the cluster vectors."""

    rank: int
    """Of the paper's matrix, rows (v * v, v)."""
    needed: int
    """2 d."""
    smallest: float
    """Its smallest singular value."""
    rank_of_products: int
    """Of the matrix with all products of two coordinates, rows (v_a v_b, v_a)."""
    needed_of_products: int
    """d (d + 3) / 2."""
    smallest_of_products: float
    """Its smallest singular value."""

    @property
    def holds(self) -> bool:
        """Whether the paper's rank is full for every choice of axes: a rotation of z is free."""
        return self.rank_of_products == self.needed_of_products


def diversity(class_vectors: Float[Tensor, "classes d"]) -> Diversity:
    """Measure how diverse cluster vectors are, as case C3 needs it."""
    v = class_vectors.double()
    a, b = torch.triu_indices(v.shape[1], v.shape[1], device=v.device)
    squares = torch.cat([v.square(), v], dim=1)
    products = torch.cat([v[:, a] * v[:, b], v], dim=1)
    rank, smallest = _rank(squares)
    rank_of_products, smallest_of_products = _rank(products)
    return Diversity(
        rank=rank,
        needed=squares.shape[1],
        smallest=smallest,
        rank_of_products=rank_of_products,
        needed_of_products=products.shape[1],
        smallest_of_products=smallest_of_products,
    )


def _rank(matrix: Tensor) -> tuple[int, float]:
    """Rank, and the smallest of as many singular values as there are columns."""
    n, k = matrix.shape
    s = torch.linalg.svdvals(matrix)
    noise = torch.finfo(torch.float32).eps  # of unit vectors that worlds hold in float32
    rank = int(above_cut_off(s, shape=(n, k), noise=noise).sum())
    return rank, float(s[-1]) if n >= k else 0.0
