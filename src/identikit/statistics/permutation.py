"""Could a score be chance? Permutation p-values, corrected for the number of factors.

Shuffling the factor over the held-out samples leaves everything about a score as it is but
T = sum_i u_i . v_i, where u comes from the prediction and v from the truth:

    R²                 u = prediction           v = truth
    Spearman           u, v = mid-ranks
    AUC                u = mid-rank of score    v = 1 for positives
    balanced accuracy  u = level named          v = true level / its count    (as indicators)

so p = (1 + shuffles with T as large) / (1 + shuffles) is exact for the fitted map: if held-out
features and factor are independent, P(p <= a) <= a. What is shuffled is what is exchangeable:

    no groups             samples
    constant in groups    the groups' values, among all groups, with the means of u in them
    varies in groups      samples within groups, and groups of one size as wholes
    items in groups       items, or samples within them, within groups
    seen in training      within items (groups) of which other samples fitted the map, nothing but
                          their own samples: the map may know the rest by heart

all of which are groups of permutations, which is all that exactness asks for (Hemerik and Goeman
2018). So are rotations of random parts of the samples along a circle each, which stand for
shuffles where samples are many: Fourier transforms sum them all. u and v are (n, q).
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factors
from identikit.core.randomness import stream
from identikit.statistics.split import Split

CACHED = 1 << 16
"""Numbers that are shuffled together."""
PLENTY = 200
"""Samples from which rotations do for shuffles."""
CIRCLES = 8
"""Parts that are rotated: 201 samples then have 10^11 arrangements."""
BEYOND = 1000
"""Arrangements for each draw, from which hardly one comes out as the samples are by chance."""
PER_FACTOR = 40
"""Shuffles for each factor of a family: the least p-value after Holm is 1 / 40."""
CHUNK = 1 << 22
"""Numbers in float64 that are looked at together."""
KEPT = 1 << 23
"""Numbers of shuffles that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What a score depends on once its margins are fixed."""

    u: Float[Tensor, "n q"]
    v: Float[Tensor, "n q"]


@dataclass(frozen=True, slots=True)
class Units:
    """What holds held-out samples together: groups, or items."""

    label: Int[Tensor, " n"]
    seen: Bool[Tensor, " n"]
    """Whether other samples of the same unit fitted the map."""

    @classmethod
    def of(cls, label: Int[Tensor, " all"], split: Split) -> "Units":
        """The held-out part of the labels of all samples."""
        test = label[split.test]
        return cls(test, torch.isin(test, label[split.train]))


@dataclass(frozen=True, kw_only=True)
class Permutations:
    """The shuffles of n held-out samples, the same for every set of features."""

    outer: Units
    """Groups or items: whichever are fewer."""
    inner: Units | None = None
    """The others, where both are known."""
    shuffles: int
    seed: int

    def p_values(self, pairings: list[Pairing]) -> tuple[list[float], list[float]]:
        """One for each score, all from the same shuffles, and the least that could come out.

        That is 1 / (1 + shuffles), or one over the number of arrangements of the values, whichever
        is more; none is below it.
        """
        ways: dict[_Way, list[int]] = {}
        for j, pairing in enumerate(pairings):
            ways.setdefault(self._way(pairing.v), []).append(j)
        p, least = ([0.0] * len(pairings) for _ in range(2))
        for way, some in ways.items():
            columns = max(pairings[j].v.shape[1] for j in some)
            width = max(1, CHUNK // (len(pairings[0].v) * columns))
            for batch in (some[k : k + width] for k in range(0, len(some), width)):
                hits = self._hits(way, [pairings[j] for j in batch])
                for j, count in zip(batch, hits, strict=True):
                    log = way.log_arrangements(pairings[j].v)
                    least[j] = max(1 / (1 + self.shuffles), math.exp(-log))
                    p[j] = max(least[j], (1 + count) / (1 + self.shuffles))
        return p, least

    def _hits(self, way: "_Way", pairings: list[Pairing]) -> list[int]:
        """Shuffles under which each sum is as large as it is."""
        u, v = (torch.cat([getattr(p, name) for p in pairings], dim=1) for name in "uv")
        if way.constant:
            u, v = way.layout.means(u), way.layout.first(v)
        u = u - u.mean(dim=0)
        owner = torch.repeat_interleave(torch.tensor([p.u.shape[1] for p in pairings]))

        def owned(sums: Tensor) -> Tensor:
            if len(pairings) == len(owner):
                return sums
            return sums.new_zeros(len(pairings), sums.shape[1]).index_add_(0, owner, sums)

        slack = 1e-9 * owned((u * v).abs().sum(dim=0)[:, None])
        enough = owned((u * v).sum(dim=0)[:, None]) - slack
        count = torch.zeros(len(pairings), dtype=torch.long)
        for sums in way.sums(u, v, shuffles=self.shuffles, seed=self.seed):
            count += (owned(sums) >= enough).sum(dim=1)
        return count.tolist()

    def _way(self, v: Float[Tensor, "n q"]) -> "_Way":
        """How a factor's values are shuffled: at the first level at which they are constant."""
        for layout in self._levels:
            if layout.constant(v):
                plenty = layout.free and len(layout.size) > PLENTY
                enough = math.log(BEYOND * self.shuffles)
                rotated = plenty and _log_rotations(layout.first(v), layout.circles) >= enough
                return _Way(layout, constant=True, rotated=rotated)
        return _Way(self._levels[-1], constant=False)

    @cached_property
    def _levels(self) -> "tuple[_Layout, ...]":
        """Outer units, inner ones, and what both have in common."""
        outer, inner = self.outer, self.inner
        whole = _Layout.of(outer.label, seen=outer.seen, seed=self.seed)
        if inner is None:
            return (whole,)
        both = torch.stack([outer.label, inner.label])
        cell = torch.unique(both, dim=1, return_inverse=True)[1]
        n_cells = int(cell.max()) + 1
        if n_cells == len(whole.size):  # one and the same
            return (whole,)
        if n_cells == len(torch.unique(inner.label)):  # nested
            within = _Layout.of(cell, seen=inner.seen, within=outer.label, seed=self.seed)
            return (whole, within)
        return (
            whole,
            _Layout.of(inner.label, seen=inner.seen, seed=self.seed),
            _Layout.of(cell, seen=torch.ones_like(inner.seen), seed=self.seed),
        )


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where the samples of each unit are, and which units may take each other's places."""

    unit: Int[Tensor, " n"]
    order: Int[Tensor, " n"]
    """Samples by unit."""
    start: Int[Tensor, " units"]
    """Of each unit in that order."""
    size: Int[Tensor, " units"]
    stratum: Int[Tensor, " units"]
    """Within which units are exchangeable."""
    seed: int
    kept: dict[tuple[bool, int], list[Int[Tensor, "some n"]]] = field(default_factory=dict)
    """Shuffles that were drawn, by whether values are constant in units, and their number."""

    @classmethod
    def of(
        cls,
        label: Int[Tensor, " n"],
        *,
        seen: Bool[Tensor, " n"],
        seed: int,
        within: Int[Tensor, " n"] | None = None,
    ) -> "_Layout":
        _, unit, size = torch.unique(label, return_inverse=True, return_counts=True)
        order = unit.argsort(stable=True)
        first = order[start := size.cumsum(0) - size]
        stratum = torch.zeros_like(size)
        if within is not None:
            stratum = torch.unique(within, return_inverse=True)[1][first]
        stratum = torch.where(seen[first], len(size) + torch.arange(len(size)), stratum)
        return cls(unit, order, start, size, stratum, seed)

    @cached_property
    def free(self) -> bool:
        """Whether every unit may take any other's place."""
        return bool((self.stratum == self.stratum[0]).all())

    @cached_property
    def circles(self) -> tuple[Tensor, ...]:
        """Random parts of the units, each to be rotated."""
        generator = stream(self.seed, "circles")
        return torch.randperm(len(self.size), generator=generator).tensor_split(CIRCLES)

    def first(self, v: Float[Tensor, "n q"]) -> Float[Tensor, "units q"]:
        """The value of each unit's first sample."""
        return v[self.order[self.start]]

    def means(self, u: Float[Tensor, "n q"]) -> Float[Tensor, "units q"]:
        """The mean of each unit's samples."""
        total = u.new_zeros(len(self.size), u.shape[1]).index_add_(0, self.unit, u)
        return total / self.size[:, None]

    def constant(self, v: Float[Tensor, "n q"]) -> bool:
        """Whether every unit has one value."""
        return bool((v == self.first(v)[self.unit]).all())

    def classes(self, *, constant: bool) -> Int[Tensor, " units"]:
        """Of units that take each other's places: where values vary within, of one size too."""
        if constant:
            return self.stratum
        pairs = torch.stack([self.stratum, self.size])
        found: Tensor = torch.unique(pairs, dim=1, return_inverse=True)[1]
        return found


@dataclass(frozen=True)
class _Way:
    """A layout with how it is used: the same for all factors that are shuffled together."""

    layout: _Layout
    constant: bool
    """Whether all samples of a unit have one value."""
    rotated: bool = False

    def log_arrangements(self, v: Float[Tensor, "n q"]) -> float:
        """Logarithm of the number of arrangements of the values that can be told apart."""
        layout = self.layout
        if self.rotated:
            return _log_rotations(layout.first(v), layout.circles)
        value = torch.unique(v, dim=0, return_inverse=True)[1]
        classes = layout.classes(constant=self.constant)
        if self.constant:
            return _log_orders(value[layout.order[layout.start]], classes)
        # units of the same values have the same sum of random numbers that stand for these
        number = torch.randint(2**40, (len(value),), generator=stream(0, "values"))[value]
        own = torch.zeros_like(layout.size).index_add_(0, layout.unit, number)
        return _log_orders(own, classes) + _log_orders(value, layout.unit)

    def sums(
        self, u: Float[Tensor, "n q"], v: Float[Tensor, "n q"], *, shuffles: int, seed: int
    ) -> Iterator[Float[Tensor, "q some"]]:
        """Each column's sums over the samples, or units, some shuffles at a time."""
        generator = stream(seed, "permutations")
        if self.rotated:
            yield from self._rotated(u, v, shuffles=shuffles, generator=generator)
            return
        columns = list(zip(u.T.contiguous(), v.T.contiguous(), strict=True))
        for rows in self._shuffles(len(u), shuffles=shuffles, generator=generator):
            yield torch.stack([b.take(rows) @ a for a, b in columns])

    def _shuffles(
        self, n: int, *, shuffles: int, generator: torch.Generator
    ) -> Iterator[Int[Tensor, "some n"]]:
        """Some at a time; those of few samples are kept for the next features."""
        kept, key = self.layout.kept, (self.constant, shuffles)
        if key in kept:
            yield from kept[key]
            return
        shuffle, some = self._shuffle(generator), max(1, CACHED // n)
        blocks = (
            torch.stack(list(itertools.islice(shuffle, min(some, shuffles - start))))
            for start in range(0, shuffles, some)
        )
        if shuffles * n <= KEPT:
            kept[key] = list(blocks)
            yield from kept[key]
        else:
            yield from blocks

    def _rotated(
        self,
        u: Float[Tensor, "n q"],
        v: Float[Tensor, "n q"],
        *,
        shuffles: int,
        generator: torch.Generator,
    ) -> Iterator[Float[Tensor, "q some"]]:
        """Those of rotations: of each circle all, by Fourier transform, then some of each."""
        circles, some = self.layout.circles, max(1, CHUNK // u.shape[1])
        tables = [
            torch.fft.irfft(torch.fft.rfft(u[c].T).conj() * torch.fft.rfft(v[c].T), n=len(c))
            for c in circles
        ]
        for start in range(0, shuffles, some):
            many = (min(some, shuffles - start),)
            by = [torch.randint(len(c), many, generator=generator) for c in circles]
            yield sum(
                (table[:, own] for table, own in zip(tables, by, strict=True)),
                start=u.new_zeros(u.shape[1], *many),
            )

    def _shuffle(self, generator: torch.Generator) -> Iterator[Int[Tensor, " n"]]:
        """The sample, or unit, whose value each takes, without end."""
        layout, n = self.layout, len(self.layout.unit)
        classes = layout.classes(constant=self.constant)
        places = classes.argsort(stable=True)
        donor = torch.empty_like(places)
        place = torch.empty_like(layout.order)
        place[layout.order] = torch.arange(n) - layout.start[layout.unit[layout.order]]
        while True:
            # units of a class, in random order, take each other's places
            shuffled = torch.randperm(len(classes), generator=generator)
            donor[places] = shuffled[classes[shuffled].argsort(stable=True)]
            if self.constant:
                yield donor.clone()
                continue
            # within each, its donor's samples in random order
            mixed = torch.randperm(n, generator=generator)
            mixed = mixed[layout.unit[mixed].argsort(stable=True)]
            yield mixed[layout.start[donor[layout.unit]] + place]


def _log_orders(values: Int[Tensor, " n"], classes: Int[Tensor, " n"]) -> float:
    """Logarithm of the number of different orders of some values within their classes."""
    size = torch.unique(classes, return_counts=True)[1].double()
    alike = torch.unique(torch.stack([classes, values]), dim=1, return_counts=True)[1].double()
    return float(torch.lgamma(size + 1).sum() - torch.lgamma(alike + 1).sum())


def _log_rotations(v: Float[Tensor, "n q"], circles: Sequence[Tensor]) -> float:
    """Logarithm of the least number of different rotations of the values along each circle.

    A ring of m values that looks the same after m / k of all its turns has each value a multiple
    of k times.
    """
    log = 0.0
    for circle in circles:
        count = torch.unique(v[circle], dim=0, return_counts=True)[1]
        log += math.log(len(circle) // math.gcd(*count.tolist()))
    return log


def holm(p: list[float]) -> list[float]:
    """p-values corrected by Holm (1979): sequentially rejective, for any dependence."""
    order = sorted(range(len(p)), key=p.__getitem__)
    corrected, largest = [0.0] * len(p), 0.0
    for rank, j in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[j]))
        corrected[j] = largest
    return corrected


def benjamini_hochberg(p: list[float]) -> list[float]:
    """p-values corrected for the false discovery rate (Benjamini and Hochberg 1995)."""
    order = sorted(range(len(p)), key=p.__getitem__, reverse=True)
    corrected, least = [0.0] * len(p), 1.0
    for rank, j in enumerate(order):
        least = min(least, p[j] * len(p) / (len(p) - rank))
        corrected[j] = least
    return corrected


def control_factors(
    factors: Factors, items: Int[Tensor, " n"], *, generator: torch.Generator
) -> Factors:
    """Factors with random values of the items, which keep their spread of values.

    Each item gets the value that one of its samples, picked at random, would give to another
    item, so that a linear probe can only have memorised it (Hewitt and Liang 2019).

    Raises:
        InputError: one item only, or a factor that is the same for all items.
    """
    names, item = torch.unique(items, return_inverse=True)
    if len(names) < 2:
        raise InputError("items names one thing only; give two or more to shuffle between.")
    shuffled = torch.randperm(len(item), generator=generator)
    sample = torch.zeros(len(names), dtype=torch.long).scatter_(0, item[shuffled], shuffled)
    other = sample[torch.randperm(len(names), generator=generator)][item]
    return Factors([replace(f, values=f.values[other]) for f in factors.values()])
