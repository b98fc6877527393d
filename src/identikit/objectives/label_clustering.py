"""Labels whose observations look alike: i ~ j if the mean observations differ by chance only.

D_i(c) = (m_i - c)' S^-1 (m_i - c), S the covariance of label i's mean m_i: chi-squared with d
degrees of freedom for the labels of one group, as many times larger as their groups are apart for
all others. Found from observations and labels alone: groups around one label after another, then
labels to their nearest group, three times. The separation is the least distance of a label to
another group over the largest to its own; groups are taken for real only where it is clear.
Shapes: x (n, d_x), means (labels, d_x), groups numbered from 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.linalg import whitening

CLEAR = 1.5
"""Least separation at which groups are taken for real."""
LEAST_GROUP_SIZE = 5
"""Labels in a group on average, at least; fewer, and little is won by sharing."""
SAMPLES = 1000
"""Observations per label for the means; a tenth of them for the covariances."""
CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelClusters:
    """Groups of labels, if they were found."""

    group: Int[Tensor, " labels"] | None
    """The group of each label; none where the separation is not clear."""
    groups: int
    """How many groups were found, or more than which the search stopped at."""
    separation: float
    """Least distance to another group over the largest to a label's own; 0 if not found."""
    observations: int
    """Labelled observations that were drawn to find that."""

    @property
    def found(self) -> bool:
        """Whether labels share rows at first: they are then taught as discovered classes."""
        return self.group is not None

    def statement(self, *, untie_at: float) -> str:
        """What was found, in words.

        Args:
            untie_at: Share of training after which each label has a row of its own.
        """
        cost = f" That took {self.observations:,} labelled observations beside training."
        if self.separation == 0:
            return (
                f"Labels were not found to fall into fewer than {self.groups} groups that look "
                f"alike; each had a row of its own throughout.{cost}"
            )
        found = f"Labels fall into {self.groups} groups that look alike, {self.separation:.1f} "
        found += "times as far from other groups as from their own"
        if not self.found:
            return f"{found}: not clear enough to share rows, so each had its own throughout.{cost}"
        return (
            f"{found}. Each group shared one row for the first {untie_at:.0%} of training, which "
            "so far told discovered classes apart, not instances: that rows of a group are alike "
            f"is built in, not found.{cost}"
        )


def cluster_labels(
    draw: Callable[[int], tuple[Float[Tensor, "n d_x"], Int[Tensor, " n"]]], n_labels: int
) -> LabelClusters:
    """Group the labels of a source of fresh pairs of observations and labels."""
    observations = observations_needed(n_labels)
    means, covariances = _moments(draw, n_labels)
    group = _leaders(means, covariances)
    if group is None:
        return LabelClusters(
            group=None,
            groups=n_labels // LEAST_GROUP_SIZE,
            separation=0.0,
            observations=observations,
        )
    for _ in range(3):
        distance = _distances(means, covariances, group)
        group = torch.unique(distance.argmin(1), return_inverse=True)[1]
    distance = _distances(means, covariances, group)
    nearest = distance.sort(1)[0]
    count = nearest.shape[1]
    apart = float(nearest[:, 1].min() / nearest[:, 0].max()) if count > 1 else math.inf
    clear = apart >= CLEAR
    return LabelClusters(
        group=group if clear else None, groups=count, separation=apart, observations=observations
    )


def observations_needed(n_labels: int) -> int:
    """How many labelled observations `cluster_labels` draws: for the whitening, then the means."""
    return CHUNK * (1 + _chunks(n_labels))


def _chunks(n_labels: int) -> int:
    return 1 + n_labels * SAMPLES // CHUNK


def _moments(
    draw: Callable[[int], tuple[Tensor, Tensor]], n_labels: int
) -> tuple[Float[Tensor, "labels d_x"], Float[Tensor, "labels d_x d_x"]]:
    """Mean whitened observation of each label, and the covariance of that mean."""
    x, _ = draw(CHUNK)
    centre, shape = x.mean(0), (n_labels, x.shape[1])
    whiten = whitening(torch.cov(x.double().T)).to(x)
    total, square = x.new_zeros(shape), x.new_zeros(*shape, shape[1])
    count, squared = x.new_zeros(n_labels), x.new_zeros(n_labels)
    chunks = _chunks(n_labels)
    for step in range(chunks):
        x, label = draw(CHUNK)
        x = (x - centre) @ whiten
        total.index_add_(0, label, x)
        count += torch.bincount(label, minlength=n_labels)
        if step <= chunks // 10:
            square.index_add_(0, label, x[:, :, None] * x[:, None, :])
            squared += torch.bincount(label, minlength=n_labels)
    mean = total / count.clamp(min=1)[:, None]
    own = square / squared.clamp(min=1)[:, None, None] - mean[:, :, None] * mean[:, None, :]
    pooled = own.mean(0)
    return mean, (0.5 * own + 0.5 * pooled) / count.clamp(min=1)[:, None, None]


def _leaders(mean: Tensor, covariance: Tensor) -> Tensor | None:
    """Groups around one free label after another; none if they stay too small."""
    n_labels, dim = mean.shape
    chance = dim + 4 * math.sqrt(2 * dim) + 10  # beyond any chi-squared of that many draws
    group, free = torch.full_like(mean[:, 0], -1).long(), torch.ones_like(mean[:, 0]).bool()
    groups = 0
    while bool(free.any()):
        if groups > 20 and LEAST_GROUP_SIZE * groups > n_labels - int(free.sum()):
            return None
        first = int(free.nonzero()[0])
        near = free & (_distance(mean, mean[first], covariance[first]) < 2 * chance)
        near[first] = True
        centre, spread = mean[near].mean(0), covariance[near].mean(0)
        near = free & (_distance(mean, centre, spread) < chance)
        near[first] = True
        group[near] = groups
        free &= ~near
        groups += 1
    count = torch.bincount(group)
    kept = count >= max(2.0, 0.25 * float(count.float().median()))
    return torch.where(kept[group], group, -1)


def _distances(mean: Tensor, covariance: Tensor, group: Tensor) -> Float[Tensor, "labels groups"]:
    """D_i(c) for the centre c of each group (-1: of none), S averaged over its labels."""
    members = [group == g for g in range(int(group.max()) + 1) if bool((group == g).any())]
    columns = [_distance(mean, mean[m].mean(0), covariance[m].mean(0)) for m in members]
    return torch.stack(columns, 1)


def _distance(mean: Tensor, centre: Tensor, covariance: Tensor) -> Float[Tensor, " labels"]:
    away = mean - centre
    squares: Tensor = (torch.linalg.solve(covariance, away.T).T * away).sum(1)
    return squares
