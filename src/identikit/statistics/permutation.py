"""Could a score be chance? Permutation p-values, corrected for the number of factors.

Shuffling the factor over the held-out samples leaves everything about a score as it is but
T = sum_i u_i . v_i, where u comes from the prediction and v from the truth:

    R²                 u = prediction           v = truth
    Spearman           u, v = mid-ranks
    AUC                u = mid-rank of score    v = 1 for positives
    balanced accuracy  u = level named          v = true level / its count    (as indicators)

so p = (1 + shuffles with T as large) / (1 + shuffles) is exact for the fitted map: if held-out
features and factor are independent, P(p <= a) <= a. Where samples outnumber the shuffles, these
are rotations of all samples along one random circle: a group of permutations, which is all that
exactness asks for (Hemerik and Goeman 2018), and one Fourier transform sums them all. Samples of a
group move together: each group takes the values of another, over again where that is shorter,
which is exact where groups have one size. u and v are (n, q).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factors
from identikit.core.randomness import stream

COLUMNS = 16
"""Shuffled together: their rows are whole lines of the processor's cache."""
CHUNK = 1 << 22
"""Numbers in float64 that are transformed at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What a score depends on once its margins are fixed."""

    u: Float[Tensor, "n q"]
    v: Float[Tensor, "n q"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permutations:
    """The shuffles of n held-out samples, the same for every set of features."""

    groups: Int[Tensor, " n"]
    shuffles: int
    seed: int

    def p_values(self, pairings: list[Pairing]) -> list[float]:
        """One for each score, all from the same shuffles."""
        u, v = (torch.cat([getattr(p, name) for p in pairings], dim=1) for name in "uv")
        u = u - u.mean(dim=0)
        owner = torch.repeat_interleave(torch.tensor([p.u.shape[1] for p in pairings]))

        def owned(sums: Tensor) -> Tensor:
            return sums.new_zeros(len(pairings), sums.shape[1]).index_add_(0, owner, sums)

        observed = owned((u * v).sum(dim=0)[:, None])
        slack = 1e-9 * owned((u * v).abs().sum(dim=0)[:, None])
        shuffled = owned(self._shifted(u, v) if self._plenty else self._shuffled(u, v))
        count = (shuffled >= observed - slack).sum(dim=1)
        p: list[float] = ((1 + count) / (1 + self.shuffles)).tolist()
        return p

    @property
    def _plenty(self) -> bool:
        """Whether a circle of the samples has as many rotations as shuffles are asked for."""
        return len(torch.unique(self.groups)) == len(self.groups) > self.shuffles

    def _shifted(
        self, u: Float[Tensor, "n q"], v: Float[Tensor, "n q"]
    ) -> Float[Tensor, "q shuffles"]:
        """Each column's sums for rotations along a random circle."""
        n, generator = len(u), stream(self.seed, "permutations")
        order = torch.randperm(n, generator=generator)
        by = 1 + torch.randperm(n - 1, generator=generator)[: self.shuffles]
        sums = []
        width = max(1, CHUNK // n)
        for a, b in zip(torch.split(u, width, 1), torch.split(v, width, 1), strict=True):
            spectrum = torch.fft.rfft(a[order].T).conj() * torch.fft.rfft(b[order].T)
            sums.append(torch.fft.irfft(spectrum, n=n)[:, by])
        return torch.cat(sums)

    def _shuffled(
        self, u: Float[Tensor, "n q"], v: Float[Tensor, "n q"]
    ) -> Float[Tensor, "q shuffles"]:
        """The same for shuffles of their own."""
        us, vs = ([c.contiguous() for c in torch.split(w, COLUMNS, 1)] for w in (u, v))
        sums = [
            torch.cat([(a * b[rows]).sum(dim=0) for a, b in zip(us, vs, strict=True)])
            for rows in self._rows()
        ]
        return torch.stack(sums, dim=1)

    def _rows(self) -> Iterator[Int[Tensor, " n"]]:
        """For each shuffle the sample whose value each sample takes."""
        generator = stream(self.seed, "permutations")
        names, group, size = torch.unique(self.groups, return_inverse=True, return_counts=True)
        order, start = group.argsort(stable=True), size.cumsum(0) - size
        place = torch.empty_like(order)  # of each sample within its group
        place[order] = torch.arange(len(group)) - start[group[order]]
        alone = len(names) == len(group)
        for _ in range(self.shuffles):
            other = torch.randperm(len(names), generator=generator)
            if not alone:
                own = other[group]
                other = order[start[own] + place % size[own]]
            yield other


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
    item, so that a read-out can only have memorised it (Hewitt and Liang 2019).

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
