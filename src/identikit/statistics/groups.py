"""Groups of points, found without labels or given: k-means, how clear they are, how alike two are.

k is the number whose groups are clearest: largest mean of (b - a) / max(a, b), a and b the
distances of a point to the centre of its own group and to the nearest other (the silhouette of
Rousseeuw 1987 with centres for members). Two groupings are compared by the adjusted Rand index
(Hubert and Arabie 1985): 1 if they are one, 0 on average for groups at random. x is (n, d).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

NUMBERS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Of groups that are tried."""
LEAST = 8
_ROUNDS, _TRIES = 30, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """A grouping that was found."""

    group: Int[Tensor, " n"]
    count: int
    clarity: float
    """Mean silhouette, at most 1."""


def find_groups(x: Float[Tensor, "n d"], *, generator: torch.Generator) -> Groups:
    """The clearest groups of `NUMBERS`, of `LEAST` points each on average: few are always clear.

    Args:
        x: Twice `LEAST` points or more.
        generator: Draws the first centres.
    """
    points = x.double()
    found = [
        _grouped(points, k, generator)
        for k in NUMBERS
        if LEAST * k <= len(points)
        for _ in range(_TRIES)
    ]
    return max(found, key=lambda groups: groups.clarity)


def _grouped(x: Tensor, k: int, generator: torch.Generator) -> Groups:
    centres = x[torch.randint(len(x), (1,), generator=generator)]
    while len(centres) < k:  # k-means++: far points are likelier
        far = torch.cdist(x, centres).amin(1).square()
        weights = far if bool(far.sum() > 0) else torch.ones_like(far)
        centres = torch.cat([centres, x[torch.multinomial(weights, 1, generator=generator)]])
    for _ in range(_ROUNDS):
        group = torch.cdist(x, centres).argmin(1)
        count = torch.bincount(group, minlength=k)[:, None]
        moved = torch.zeros_like(centres).index_add(0, group, x) / count.clamp(min=1)
        moved = torch.where(count > 0, moved, centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    distance = torch.cdist(x, centres)
    group = distance.argmin(1)
    nearest = distance.topk(2, largest=False, dim=1)[0]
    own, other = nearest[:, 0], nearest[:, 1]
    clarity = ((other - own) / other.clamp(min=1e-300)).mean()
    return Groups(group=group, count=len(group.unique()), clarity=float(clarity))


def adjusted_rand(one: Int[Tensor, " n"], other: Int[Tensor, " n"]) -> float:
    """How alike two groupings of the same points are."""
    pairs = torch.stack([one, other], 1).unique(dim=0, return_counts=True)[1]
    first, second = (labels.unique(return_counts=True)[1] for labels in (one, other))
    both, a, b = (float((n * (n - 1)).sum()) / 2 for n in (pairs, first, second))
    expected = a * b / (len(one) * (len(one) - 1) / 2)
    most = (a + b) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def between_share(x: Float[Tensor, "n d"], group: Int[Tensor, " n"]) -> tuple[float, float]:
    """Variance of the means of groups over that of all, and its expectation for random groups."""
    _, of_row, count = group.unique(return_inverse=True, return_counts=True)
    centred = x.double() - x.double().mean(0)
    sums = torch.zeros(len(count), x.shape[1]).double().index_add(0, of_row, centred)
    between = float((sums.square().sum(1) / count).sum() / centred.square().sum())
    return between, (len(count) - 1) / (len(x) - 1)
