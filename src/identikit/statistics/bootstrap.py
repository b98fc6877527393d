"""95 % intervals by resampling the held-out points under a map that stays as it was fitted.

A score is a function of weights on the held-out points: all one for the score itself,
multinomial counts for a resample. The interval runs from the 2.5 to the 97.5 percentile
over resamples. It speaks of the score that *this* map would get on the whole population;
how much another training sample would move the map is not in it. Points that share a
group are drawn together, so dependent points do not narrow the interval.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, Scores

Statistic = Callable[[Tensor], Tensor]
"""From weights (b, n) to scores (b, k); NaN where a resample leaves a score undefined."""

TAIL = 0.025
CHUNK = 1 << 21  # weights in float64 at a time


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """k scores of the held-out points as they are and of every resample."""

    value: Float[Tensor, " k"]
    draws: Float[Tensor, "b k"]

    def __getitem__(self, j: int) -> "Resampled":
        return Resampled(self.value[j : j + 1], self.draws[:, j : j + 1])

    def __sub__(self, other: "Resampled") -> "Resampled":
        """Differences, resample by resample: both must be of one `Bootstrap`."""
        return Resampled(self.value - other.value, self.draws - other.draws)

    def estimates(self) -> list[Estimate]:
        """Value and percentile interval of each of the k scores."""
        tails = torch.tensor([TAIL, 1 - TAIL], dtype=torch.float64)
        low, high = self.draws.nanquantile(tails, dim=0)
        return [
            Estimate(value=v, low=lo, high=hi)
            for v, lo, hi in zip(self.value.tolist(), low.tolist(), high.tolist(), strict=True)
        ]


class Bootstrap:
    """The resamples of n held-out points, drawn once and shared by every score.

    Raises:
        InputError: fewer than 100 resamples, or fewer than two groups.
    """

    def __init__(
        self,
        groups: Int[Tensor, " n"],
        *,
        resamples: int,
        generator: torch.Generator,
    ) -> None:
        if resamples < 100:
            raise InputError(
                f"resamples must be at least 100 for a 95 % interval; got {resamples}. "
                "1000 is usual."
            )
        names, self._group = torch.unique(groups, return_inverse=True)
        self.n, self.n_groups = len(groups), len(names)
        if self.n_groups < 2:
            raise InputError(
                "the held-out part is one group, so resampling groups says nothing of how sure "
                "a score is. Hold out two groups or more, or leave groups out."
            )
        counts = torch.zeros(resamples, self.n_groups, dtype=torch.uint8)
        one = torch.ones(1, dtype=torch.uint8)
        for row in torch.split(counts, max(1, CHUNK // self.n_groups)):
            drawn = torch.randint(self.n_groups, row.shape, generator=generator)
            row.scatter_add_(1, drawn, one.expand(row.shape))
        self._counts = counts

    def draws(self, statistic: Statistic) -> Float[Tensor, "b k"]:
        """The statistic of every resample."""
        chunks = torch.split(self._counts, max(1, CHUNK // self.n))
        if self.n_groups < self.n:
            return torch.cat([statistic(chunk[:, self._group].double()) for chunk in chunks])
        return torch.cat([statistic(chunk.double()) for chunk in chunks])

    def value(self, statistic: Statistic) -> Float[Tensor, " k"]:
        """The statistic of the points as they are."""
        return statistic(torch.ones(1, self.n, dtype=torch.float64))[0]

    def estimates(self, statistic: Statistic) -> list[Estimate]:
        """Value and interval of each of the k scores."""
        return self.resampled(statistic).estimates()

    def resampled(self, statistic: Statistic) -> Resampled:
        """The statistic of the points and of every resample."""
        return Resampled(self.value(statistic), self.draws(statistic))

    def independent(self, level: Int[Tensor, " n"] | None = None) -> int:
        """How many groups there are, or of the level that the fewest have."""
        if level is None:
            return self.n_groups
        pairs = torch.unique(torch.stack([level, self._group]), dim=1)
        return int(torch.unique(pairs[0], return_counts=True)[1].min())

    def scores(self, statistic: Statistic, *, maps: int = 1) -> list[Scores]:
        """For each of several maps, whose k scores follow one another, these and their mean."""

        def with_means(weights: Tensor) -> Tensor:
            each = statistic(weights).view(len(weights), maps, -1)
            return torch.cat([each, each.mean(dim=2, keepdim=True)], dim=2).flatten(1)

        found = self.estimates(with_means)
        width = len(found) // maps
        return [
            Scores(mean=own[-1], per_factor=tuple(own[:-1]))
            for own in (found[start : start + width] for start in range(0, len(found), width))
        ]
