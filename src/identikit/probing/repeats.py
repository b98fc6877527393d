"""Rows that are no samples of their own: copies, near copies, and repeated measures.

They stand on both sides of a random split, so that a read-out can look them up, and they narrow
every interval. Nothing is dropped: what is found is said, with the way out, which is `groups`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.factors import Factors, Kind
from identikit.core.linalg import rounding, spread
from identikit.core.memory_mapped import blocks
from identikit.core.randomness import stream

DIRECTIONS = 8
NEAR = 1e-2
"""Widest cell of the grid that near copies share, in standard deviations."""
MANY = 0.01
"""Share of rows, or of runs of rows, from which repetition is said."""
ALIKE = 0.25
"""Mean squared distance of neighbouring rows, over that of any two, below which they are runs."""
MOST = 2000
"""Neighbours that are looked at."""


def repeats(h: Float[Tensor, "n d"], factors: Factors) -> list[str]:
    """What speaks against rows being independent samples, in words; empty where nothing does."""
    n = len(h)
    found = []
    unit = _standard(h)
    copies = _near_copies(h, unit)
    if copies > MANY * n:
        found.append(f"{copies:,} of {n:,} rows of h are copies or near copies of others")
    elif _runs(h, unit):
        found.append("neighbouring rows of h are far more alike than others, as in films or series")
    elif combinations := _few_values(factors):
        found.append(
            f"{n:,} samples have but {combinations:,} different values of the factors, as repeated "
            "measures have"
        )
    return [
        f"{each}: intervals and p-values take them for independent; say with groups which belong "
        "together"
        for each in found
    ]


def _standard(h: Tensor) -> Tensor:
    size, noise = spread(h), rounding(h)
    alive = size > 4 * noise
    return torch.where(alive, 1 / size.where(alive, 1.0), 0.0)


def _near_copies(h: Tensor, unit: Tensor) -> int:
    """Rows that share a cell of a grid so fine that independent rows hardly would."""
    n, dims = len(h), int((unit > 0).sum())
    if not dims:
        return 0
    generator = stream(0, "near copies")
    axes = torch.randn(h.shape[1], min(DIRECTIONS, dims), generator=generator).double()
    axes = unit[:, None] * axes
    at = torch.cat([block @ axes for block in blocks(h)])
    at = (at - at.mean(dim=0)) / at.std(dim=0).clamp(min=1e-300)
    # two normal values are within a cell of width w with chance w / sqrt(4 pi)
    width = min(NEAR, 3.5 * (MANY / (10 * n)) ** (1 / at.shape[1]))
    _, size = torch.unique((at / width).floor(), dim=0, return_counts=True)
    return int(size[size > 1].sum())


def _runs(h: Tensor, unit: Tensor) -> bool:
    n = len(h)
    some = torch.arange(n - 1)[:: max(1, (n - 1) // MOST)]
    other = torch.randperm(n, generator=stream(0, "runs"))[: len(some)]
    here, after, any_ = ((h[rows].double() * unit) for rows in (some, some + 1, other))
    return bool((here - after).square().sum() < ALIKE * (here - any_).square().sum())


def _few_values(factors: Factors) -> int:
    """Different rows of the factors, if some are numbers and most rows come twice or more."""
    if not any(f.kind in (Kind.CONTINUOUS, Kind.CIRCULAR) for f in factors.values()):
        return 0
    rows = torch.stack([f.values.double() for f in factors.values()], dim=1)
    different = len(torch.unique(rows, dim=0))
    return different if 2 * different <= len(rows) else 0
