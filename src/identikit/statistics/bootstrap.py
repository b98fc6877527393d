"""Resamples of the held-out points under a map that stays as it was fitted.

A score is a function of weights on the held-out points: all one for the score itself,
multinomial counts for a resample, its derivative for the influence of each point. Intervals from
them (`intervals`) speak of the score that *this* map would get on the whole population; how much
another training sample would move the map is not in them. Points that share a group are drawn
together, so dependent points do not narrow them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, Scores
from identikit.statistics.intervals import Ranges, effective, less, shifted

CHUNK = 1 << 21  # weights in float64 at a time


@dataclass(frozen=True, slots=True)
class Statistic:
    """Scores as a function of weights, which knows how small and how large they can be."""

    function: Callable[[Tensor], Tensor]
    """From weights (b, n) to scores (b, k); NaN where a resample leaves a score undefined."""
    within: Ranges

    def __call__(self, weights: Float[Tensor, "b n"]) -> Float[Tensor, "b k"]:
        """The scores under these weights."""
        return self.function(weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """k scores and what they are in each of b resamples; differences are paired."""

    value: Float[Tensor, " k"]
    draws: Float[Tensor, "b k"]
    influence: Float[Tensor, "groups k"]
    """Derivative of each score by the weight of each group."""
    within: Ranges

    def __sub__(self, other: "Resampled") -> "Resampled":
        return Resampled(
            value=self.value - other.value,
            draws=self.draws - other.draws,
            influence=self.influence - other.influence,
            within=less(self.within, other.within),
        )

    @classmethod
    def mean(cls, parts: list["Resampled"]) -> "Resampled":
        """The mean of scores of the same points, resamples and range."""
        value, draws, influence = (
            torch.stack([getattr(part, name) for part in parts]).mean(dim=0)
            for name in ("value", "draws", "influence")
        )
        return cls(value=value, draws=draws, influence=influence, within=parts[0].within)

    def __getitem__(self, columns: slice) -> "Resampled":
        return Resampled(
            value=self.value[columns],
            draws=self.draws[:, columns],
            influence=self.influence[:, columns],
            within=self.within if len(self.within) == 1 else self.within[columns],
        )

    @property
    def samples(self) -> Float[Tensor, " k"]:
        """How many effective samples decide each score."""
        return effective(self.influence)

    def estimates(self) -> list[Estimate]:
        """Value and interval of each score."""
        return shifted(self.value, self.draws, samples=self.samples, within=self.within)


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
        self.n, self.n_groups, self.resamples = len(groups), len(names), resamples
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

    def independent(self, level: Int[Tensor, " n"]) -> Int[Tensor, " levels"]:
        """How many groups hold each of the levels that occur, in their order."""
        pairs = torch.unique(torch.stack([level, self._group]), dim=1)
        count: Tensor = torch.unique(pairs[0], return_counts=True)[1]
        return count

    def draws(self, statistic: Statistic) -> Float[Tensor, "b k"]:
        """The statistic of every resample."""
        return torch.cat([statistic(weights) for weights in self.weights()])

    def weights(self) -> Iterator[Float[Tensor, "some n"]]:
        """How often each point was drawn, some resamples at a time."""
        for chunk in torch.split(self._counts, max(1, CHUNK // self.n)):
            yield (chunk[:, self._group] if self.n_groups < self.n else chunk).double()

    def value(self, statistic: Statistic) -> Float[Tensor, " k"]:
        """The statistic of the points as they are."""
        return statistic(torch.ones(1, self.n, dtype=torch.float64))[0]

    def influence(self, statistic: Statistic) -> Float[Tensor, "groups k"]:
        """Derivative of each of the k scores by the weight of each group."""
        many = len(self.value(statistic))
        found = torch.zeros(self.n_groups, many, dtype=torch.float64)
        for columns in torch.split(torch.arange(many), max(1, CHUNK // self.n)):
            # weights of its own for each score: torch imports sympy for gradients of more than one
            weights = torch.ones(len(columns), self.n, dtype=torch.float64, requires_grad=True)
            with torch.enable_grad():
                each = statistic(weights)[torch.arange(len(columns)), columns]
            (by_point,) = torch.autograd.grad(each.sum(), weights)
            part = found.new_zeros(self.n_groups, len(columns))
            found[:, columns] = part.index_add_(0, self._group, by_point.T)
        return found

    def estimates(self, statistic: Statistic) -> list[Estimate]:
        """Value and interval of each of the k scores."""
        return self.resampled(statistic).estimates()

    def resampled(self, statistic: Statistic) -> Resampled:
        """The statistic of the points as they are, and of every resample."""
        return Resampled(
            value=self.value(statistic),
            draws=self.draws(statistic),
            influence=self.influence(statistic),
            within=statistic.within,
        )

    def scores(self, statistic: Statistic, *, maps: int = 1) -> list[Scores]:
        """For each of several maps, whose k scores follow one another, these and their mean."""

        def with_means(weights: Tensor) -> Tensor:
            each = statistic(weights).view(len(weights), maps, -1)
            return torch.cat([each, each.mean(dim=2, keepdim=True)], dim=2).flatten(1)

        found = self.estimates(Statistic(with_means, statistic.within))
        width = len(found) // maps
        return [
            Scores(mean=own[-1], per_factor=tuple(own[:-1]))
            for own in (found[start : start + width] for start in range(0, len(found), width))
        ]


def crossed(first: Bootstrap, second: Bootstrap, statistic: Statistic) -> Resampled:
    """Resamples of points that two groupings cross: both drawn anew, weights multiplied.

    Such as scores of encoders times factors (Owen 2007: no less than the true variance). The
    grouping of fewer effective samples says how sure it is.
    """
    pairs = zip(first.weights(), second.weights(), strict=True)
    influences = [each.influence(statistic) for each in (first, second)]
    return Resampled(
        value=first.value(statistic),
        draws=torch.cat([statistic(one * other) for one, other in pairs]),
        influence=min(influences, key=lambda one: effective(one).min().item()),
        within=statistic.within,
    )
