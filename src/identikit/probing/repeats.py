"""Rows that are no samples of their own: copies, near copies, and repeated measures.

They stand on both sides of a random split, so that a linear probe can look them up, and they narrow
every interval. Nothing is dropped: what is found is said, with the way out, which is `groups`.
What belongs to objects is no less repeated because something else varies beside it. Values tell
where they are numbers that hardly come twice by chance, and where several factors come in far fewer
combinations than their levels have, each of them several times; where they are a few levels,
clusters of h tell in which they have one value each. One factor of few levels and features whose
noise hides the objects tell nothing: only `groups` or `items` do.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from identikit.core.factors import Factor, Factors, Kind
from identikit.core.linalg import principal_axes, rounding, spread
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
"""Neighbours, and rows in search of clusters, that are looked at."""
AXES = 64
"""Random directions that keep distances well enough to find clusters by."""
NEAREST = 3
"""Rows that each row is linked to: smooth data of two dimensions or more then hang together."""
SMALL = 0.1
"""Largest share of the rows in a cluster that may be one thing seen repeatedly."""
CLUSTERS = 10
"""Fewest, of clusters or combinations, that are said."""
ROWS = 20_000
FACTORS = 30
"""Among which combinations are looked for."""
LONELY = 0.1
"""Largest share of combinations that come once."""
CROSSED = 0.8
"""Share of its levels that a factor has beside each combination of others if it varies freely."""


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
    else:
        found += _values(factors) or _one_value_each(h, unit, factors)
    return [
        f"{each}: intervals and p-values take them for independent; say with groups (or items) "
        "which belong together"
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
    own = principal_axes(at)  # a loud direction of any slant would be all that combinations show
    at = own.coordinates(at) / own.size
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


def _values(factors: Factors) -> list[str]:
    """Values that come back as those of objects do, each factor's by itself or some together."""
    numbers = [f for f in factors.values() if f.kind in (Kind.CONTINUOUS, Kind.CIRCULAR)]
    names = [f.name for f in numbers if _come_back(f)]
    if names:
        return [f"values of {_listed(names)} come back as those of repeated measures do"]
    parts = _partitions(factors)
    found = _same_cells(parts) or _few_combinations(parts)
    if found is None:
        return []
    together, cells = found
    return [
        f"{_listed(together)} come in but {cells:,} combinations, each of them several times, as "
        "repeated measures do"
    ]


@dataclass(frozen=True, slots=True)
class _Partition:
    """What one or more factors tell apart: samples of one cell have the same number."""

    names: tuple[str, ...]
    number: Tensor
    cells: int

    def __and__(self, other: "_Partition") -> "_Partition":
        number = self.number + other.number  # random numbers, whose sums are different
        names = (*self.names, *other.names)
        return _Partition(names, number, len(torch.unique(number)))

    def few(self) -> bool:
        """Whether the cells are many, and hardly any has one member alone."""
        count = torch.unique(self.number, return_counts=True)[1]
        return len(count) >= CLUSTERS and bool((count == 1).sum() <= LONELY * len(count))


def _partitions(factors: Factors) -> list[_Partition]:
    """By each factor whose values come back, those of most values first."""
    generator = stream(0, "partitions")
    n = factors.n_samples
    rows = torch.randperm(n, generator=generator)[:ROWS]
    found = []
    for factor in factors.values():
        level = torch.unique(factor.values[rows], return_inverse=True)[1]
        cells = int(level.max()) + 1
        number = torch.randint(-(2**40), 2**40, (cells,), generator=generator)
        if 2 * cells <= len(rows):
            found.append(_Partition((factor.name,), number.sort().values[level], cells))
    return sorted(found, key=lambda part: -part.cells)[:FACTORS]


def _same_cells(parts: list[_Partition]) -> tuple[tuple[str, ...], int] | None:
    """Factors that tell the same samples apart, as attributes of objects do.

    One that rises or falls with the other is the same in another unit.
    """
    for j, one in enumerate(parts):
        same = [
            other
            for other in parts[j + 1 :]
            if other.cells == one.cells == (one & other).cells and not _monotone(one, other)
        ]
        if same and one.few():
            return (*one.names, *(name for other in same for name in other.names)), one.cells
    return None


def _monotone(one: _Partition, other: _Partition) -> bool:
    steps = other.number[one.number.argsort()].diff()
    return bool((steps >= 0).all() or (steps <= 0).all())


def _few_combinations(parts: list[_Partition]) -> tuple[tuple[str, ...], int] | None:
    """Factors that come in a fourth of the combinations of independent ones, or fewer."""
    kept: list[_Partition] = []
    for part in parts:
        # what is coarser than another, excludes it, or cuts the same axis, is one with it
        while (
            one := next((q for q in kept if (part & q).cells < part.cells + q.cells), None)
        ) is not None:
            kept.remove(one)
            part = part & one
        kept.append(part)
    while len(kept) > 1:
        # what varies beside the others, with its share of the number of their combinations
        whole = _together(kept)
        crowded = 2 * whole.cells > len(whole.number)
        share = {}
        for part in kept:
            rest = _together([q for q in kept if q is not part])
            share[part.names] = whole.cells / rest.cells / (1 if crowded else part.cells)
        most = max(kept, key=lambda part: share[part.names])
        if not crowded and share[most.names] < CROSSED:
            generator = stream(0, "combinations")
            mixed = [
                replace(q, number=q.number[torch.randperm(len(q.number), generator=generator)])
                for q in kept
            ]
            few = 4 * whole.cells <= _together(mixed).cells and whole.few()
            return (whole.names, whole.cells) if few else None
        kept.remove(most)
    return None


def _together(parts: list[_Partition]) -> _Partition:
    return functools.reduce(_Partition.__and__, parts)


def _come_back(factor: Factor) -> bool:
    """Whether values come twice or more, though the steps between them leave room for others.

    Rounded numbers of independent samples fill their range, or thin out to values that come once.
    """
    value, count = torch.unique(factor.values.double(), return_counts=True)
    if 2 * len(value) > len(factor.values) or len(value) < 3:
        return False
    room = (value[-1] - value[0]) / value.diff().min()
    return bool(4 * (count == 1).sum() <= len(value) and 2 * len(value) < room)


def _one_value_each(h: Tensor, unit: Tensor, factors: Factors) -> list[str]:
    """Factors with one value in each of many clusters of h, and few values for all of them."""
    if int((unit > 0).sum()) < 2:
        return []
    rows, cluster = _clusters(h, unit)
    size = torch.bincount(cluster)
    names, most = [], 0
    for factor in factors.values():
        level = torch.unique(factor.values[rows], return_inverse=True)[1].double()
        mean = torch.zeros(len(size)).double().index_add_(0, cluster, level) / size
        varies = (
            torch.zeros(len(size)).double().index_add_(0, cluster, (level - mean[cluster]) ** 2)
        )
        one = (varies < 1e-9) & (size <= max(SMALL * len(rows), 2))
        many = int(one.sum()) >= max(CLUSTERS, 2 * len(torch.unique(level)))
        if many and 2 * size[one].sum() >= len(rows):
            names.append(factor.name)
            most = max(most, int(one.sum()))
    return [
        f"h lies in clusters, in {most:,} of which {_listed(names)} has one value each, as views "
        "of one thing have"
    ] * bool(names)


def _clusters(h: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
    """Some neighbouring rows and the cluster of each: what links to nearest rows hold together."""
    generator = stream(0, "clusters")
    axes = torch.randn(h.shape[1], min(AXES, h.shape[1]), generator=generator).double()
    if h.shape[1] <= AXES:
        axes = torch.eye(h.shape[1], dtype=torch.float64)
    axes = unit[:, None] * axes
    at = torch.cat([block @ axes for block in blocks(h)])
    rows = torch.arange(len(h))
    if len(h) > MOST:
        pivot = at[int(torch.randint(len(h), (1,), generator=generator))]
        rows = (at - pivot).square().sum(dim=1).topk(MOST, largest=False).indices
        at = at[rows]
    apart = torch.cdist(at, at).fill_diagonal_(torch.inf)
    near = apart.topk(min(NEAREST, len(at) - 1), largest=False).indices
    start = torch.arange(len(at) + 1) * near.shape[1]
    links = csr_matrix(
        (torch.ones(near.numel()).numpy(), near.flatten().numpy(), start.numpy()),
        shape=(len(at), len(at)),
    )
    return rows, torch.from_numpy(connected_components(links, directed=False)[1]).long()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3:,} others"
