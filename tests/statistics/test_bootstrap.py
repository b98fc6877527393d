"""Intervals: calibrated, the same for the same seed, wider for dependent points."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap, Statistic

CASES = 200


def coverage(
    case: Callable[[torch.Generator], tuple[Statistic, float]], *, n: int, groups: int | None = None
) -> float:
    """Share of simulated held-out parts whose interval holds the population's score."""
    group = torch.arange(n) if groups is None else torch.arange(n) % groups
    held = 0
    for seed in range(CASES):
        generator = torch.Generator().manual_seed(seed)
        statistic, truth = case(generator)
        estimate = Bootstrap(group, resamples=200, generator=generator).estimates(statistic)[0]
        held += estimate.low <= truth <= estimate.high
    return held / CASES


def pair(r: float, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two standard normals with correlation r."""
    a, e = torch.randn(2, n, 1, generator=generator, dtype=torch.float64)
    return a, r * a + math.sqrt(1 - r * r) * e


def r2_case(r: float, n: int) -> Callable[[torch.Generator], tuple[Statistic, float]]:
    def case(generator: torch.Generator) -> tuple[Statistic, float]:
        a, z = pair(r, n, generator)
        slope = 0.9 * r + 0.1  # a fitted map is never the best one
        return measures.r2(slope * a, z), 2 * slope * r - slope**2

    return case


@pytest.mark.parametrize("r", [0.0, 0.7, 0.995])
def test_r2_intervals_hold_the_score_of_the_fitted_map(r: float) -> None:
    # 200 cases: a share of .95 has a standard error of .015
    assert 0.90 <= coverage(r2_case(r, 300), n=300) <= 0.99


def test_correlation_and_spearman_intervals_are_calibrated() -> None:
    def pearson(generator: torch.Generator) -> tuple[Statistic, float]:
        return measures.correlation(*pair(0.6, 200, generator)), 0.6

    def spearman(generator: torch.Generator) -> tuple[Statistic, float]:
        a, b = pair(0.6, 200, generator)
        return measures.spearman(a[:, 0], b[:, 0]), 6 / math.pi * math.asin(0.3)

    assert 0.90 <= coverage(pearson, n=200) <= 0.99
    assert 0.90 <= coverage(spearman, n=200) <= 0.99


def test_auc_and_balanced_accuracy_intervals_are_calibrated() -> None:
    normal = torch.distributions.Normal(0.0, 1.0)

    def scores(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        positive = (torch.rand(200, generator=generator) < 0.3).long()
        return positive + torch.randn(200, generator=generator, dtype=torch.float64), positive

    def auc(generator: torch.Generator) -> tuple[Statistic, float]:
        truth = normal.cdf(torch.tensor(1 / math.sqrt(2))).item()
        return measures.auc(*scores(generator)), truth

    def balanced(generator: torch.Generator) -> tuple[Statistic, float]:
        score, positive = scores(generator)
        truth = normal.cdf(torch.tensor(0.5)).item()
        return measures.balanced_accuracy((score > 0.5).long(), positive), truth

    assert 0.90 <= coverage(auc, n=200) <= 0.99
    assert 0.90 <= coverage(balanced, n=200) <= 0.99


def test_points_of_one_group_are_resampled_together() -> None:
    """Ten copies of forty points: as if there were forty, not four hundred."""

    def copies(generator: torch.Generator) -> tuple[Statistic, float]:
        a, z = pair(0.7, 40, generator)
        return measures.r2((0.7 * a).repeat(10, 1), z.repeat(10, 1)), 0.49

    assert coverage(copies, n=400, groups=40) >= 0.88
    assert coverage(copies, n=400) < 0.6


def test_the_same_generator_gives_the_same_interval_and_groups_of_one_change_nothing() -> None:
    a, z = pair(0.5, 100, torch.Generator().manual_seed(0))
    results = [
        Bootstrap(group, resamples=200, generator=torch.Generator().manual_seed(1)).estimates(
            measures.r2(a, z)
        )
        for group in (torch.arange(100), torch.arange(100), 5 * torch.arange(100))
    ]
    assert results[0] == results[1] == results[2]


def test_the_mean_over_factors_has_its_own_interval() -> None:
    a, z = pair(0.5, 400, torch.Generator().manual_seed(0))
    both = torch.cat([a, a.flip(0)], 1), torch.cat([z, z.flip(0)], 1)
    bootstrap = Bootstrap(
        torch.arange(400), resamples=200, generator=torch.Generator().manual_seed(1)
    )
    (scores,) = bootstrap.scores(measures.r2(*both))
    first, second = scores.per_factor
    assert scores.mean.value == pytest.approx((first.value + second.value) / 2)
    # the two are independent, so their mean is surer by the square root of two
    assert scores.mean.high - scores.mean.low < 0.85 * (first.high - first.low)


def test_too_few_resamples_are_refused() -> None:
    with pytest.raises(InputError, match="at least 100"):
        Bootstrap(torch.arange(9), resamples=99, generator=torch.Generator())


def test_one_group_has_no_interval() -> None:
    with pytest.raises(InputError, match="one group"):
        Bootstrap(torch.zeros(9, dtype=torch.long), resamples=100, generator=torch.Generator())
