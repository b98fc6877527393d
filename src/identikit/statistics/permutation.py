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
    constant in groups    the groups' values, among all groups
    varies in groups      samples within groups, and groups of one size as wholes

all of which are groups of permutations, which is all that exactness asks for (Hemerik and Goeman
2018). So are rotations of two random halves of the samples along a circle each, which stand for
shuffles where samples are many: one Fourier transform sums them all. u and v are (n, q).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factors
from identikit.core.randomness import stream

COLUMNS = 16
"""Shuffled together: their rows are whole lines of the processor's cache."""
PLENTY = 200
"""Samples from which rotations of two halves do for shuffles."""
PER_FACTOR = 40
"""Shuffles for each factor of a family: the least p-value after Holm is 1 / 40."""
CHUNK = 1 << 22
"""Numbers in float64 that are transformed at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What a score depends on once its margins are fixed."""

    u: Float[Tensor, "n q"]
    v: Float[Tensor, "n q"]


@dataclass(frozen=True, kw_only=True)
class Permutations:
    """The shuffles of n held-out samples, the same for every set of features."""

    groups: Int[Tensor, " n"]
    shuffles: int
    seed: int

    def least_p_values(self, pairings: list[Pairing]) -> list[float]:
        """The smallest that could come out for each score, however well it is read."""
        return [max(1 / (1 + self.shuffles), self._share(pairing.v)) for pairing in pairings]

    def _share(self, v: Float[Tensor, "n q"]) -> float:
        """One over the number of arrangements of the values that can be told apart."""
        value = torch.unique(v, dim=0, return_inverse=True)[1]
        if self._constant(v):
            first = self._layout.order[self._layout.start]
            return _one_arrangement(value[first])
        log, layout = 0.0, self._layout
        parts = torch.split(value[layout.order], layout.size.tolist())
        within: dict[int, list[tuple[int, ...]]] = {}
        for part in parts:
            log += math.log(_one_arrangement(part))
            within.setdefault(len(part), []).append(tuple(sorted(part.tolist())))
        for same_size in within.values():
            names = {own: k for k, own in enumerate(dict.fromkeys(same_size))}
            log += math.log(_one_arrangement(torch.tensor([names[own] for own in same_size])))
        return math.exp(max(log, -700.0))

    def _constant(self, v: Float[Tensor, "n q"]) -> bool:
        """Whether every group has one value."""
        layout = self._layout
        first = layout.order[layout.start]
        return bool((v == v[first][layout.group]).all())

    @cached_property
    def _layout(self) -> "_Layout":
        return _Layout.of(self.groups)

    def p_values(self, pairings: list[Pairing]) -> list[float]:
        """One for each score, all from the same shuffles."""
        u, v = (torch.cat([getattr(p, name) for p in pairings], dim=1) for name in "uv")
        u = u - u.mean(dim=0)
        owner = torch.repeat_interleave(torch.tensor([p.u.shape[1] for p in pairings]))

        def owned(sums: Tensor) -> Tensor:
            return sums.new_zeros(len(pairings), sums.shape[1]).index_add_(0, owner, sums)

        observed = owned((u * v).sum(dim=0)[:, None])
        slack = 1e-9 * owned((u * v).abs().sum(dim=0)[:, None])
        count = torch.zeros(len(pairings))
        for constant in (True, False):
            some = torch.tensor([self._constant(pairing.v) is constant for pairing in pairings])
            if some.any():
                columns = some[owner]
                sums = u.new_zeros(u.shape[1], self.shuffles)
                sums[columns] = self._sums(u[:, columns], v[:, columns], constant=constant)
                count += (some[:, None] & (owned(sums) >= observed - slack)).sum(dim=1)
        p: list[float] = ((1 + count.double()) / (1 + self.shuffles)).tolist()
        return p

    def _sums(
        self, u: Float[Tensor, "n q"], v: Float[Tensor, "n q"], *, constant: bool
    ) -> Float[Tensor, "q shuffles"]:
        if self._layout.alone and len(u) > PLENTY:
            return self._rotated(u, v)
        return self._shuffled(u, v, constant=constant)

    def _rotated(
        self, u: Float[Tensor, "n q"], v: Float[Tensor, "n q"]
    ) -> Float[Tensor, "q shuffles"]:
        """Each column's sums for rotations of two random halves along a circle each."""
        n, generator = len(u), stream(self.seed, "permutations")
        halves = torch.randperm(n, generator=generator).tensor_split(2)
        by = [torch.randint(len(half), (self.shuffles,), generator=generator) for half in halves]
        sums = []
        width = max(1, CHUNK // n)
        for a, b in zip(torch.split(u, width, 1), torch.split(v, width, 1), strict=True):
            total = u.new_zeros(a.shape[1], self.shuffles)
            for half, own in zip(halves, by, strict=True):
                spectrum = torch.fft.rfft(a[half].T).conj() * torch.fft.rfft(b[half].T)
                total += torch.fft.irfft(spectrum, n=len(half))[:, own]
            sums.append(total)
        return torch.cat(sums)

    def _shuffled(
        self, u: Float[Tensor, "n q"], v: Float[Tensor, "n q"], *, constant: bool
    ) -> Float[Tensor, "q shuffles"]:
        """The same for shuffles of their own."""
        us, vs = ([c.contiguous() for c in torch.split(w, COLUMNS, 1)] for w in (u, v))
        generator = stream(self.seed, "permutations")
        sums = [
            torch.cat([(a * b[rows]).sum(dim=0) for a, b in zip(us, vs, strict=True)])
            for rows in (
                self._layout.shuffle(generator, constant=constant) for _ in range(self.shuffles)
            )
        ]
        return torch.stack(sums, dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where the samples of each group are."""

    group: Int[Tensor, " n"]
    order: Int[Tensor, " n"]
    """Samples by group."""
    start: Int[Tensor, " groups"]
    """Of each group in that order."""
    size: Int[Tensor, " groups"]

    @classmethod
    def of(cls, groups: Int[Tensor, " n"]) -> "_Layout":
        _, group, size = torch.unique(groups, return_inverse=True, return_counts=True)
        order = group.argsort(stable=True)
        return cls(group=group, order=order, start=size.cumsum(0) - size, size=size)

    @property
    def alone(self) -> bool:
        return len(self.size) == len(self.group)

    def shuffle(self, generator: torch.Generator, *, constant: bool) -> Int[Tensor, " n"]:
        """The sample whose value each sample takes.

        Args:
            generator: Source of the order.
            constant: Whether all samples of a group have one value.
        """
        n, k = len(self.group), len(self.size)
        if constant:
            other = torch.randperm(k, generator=generator)
            return self.order[self.start[other]][self.group]
        # groups of one size, in random order, take each other's places
        shuffled = torch.randperm(k, generator=generator)
        shuffled = shuffled[self.size[shuffled].argsort(stable=True)]
        donor = torch.empty_like(shuffled)
        donor[self.size.argsort(stable=True)] = shuffled
        # within each, its donor's samples in random order
        mixed = torch.randperm(n, generator=generator)
        mixed = mixed[self.group[mixed].argsort(stable=True)]
        place = torch.empty_like(self.order)
        place[self.order] = torch.arange(n) - self.start[self.group[self.order]]
        return mixed[self.start[donor[self.group]] + place]


def _one_arrangement(values: Int[Tensor, " n"]) -> float:
    """One over the number of different orders of some values."""
    count = torch.unique(values, return_counts=True)[1].double()
    log = torch.lgamma(count + 1).sum() - math.lgamma(len(values) + 1)
    return math.exp(max(log.item(), -700.0))


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
