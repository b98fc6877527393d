"""Intervals hold the truth where samples are few, and their estimate always."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from identikit.core.estimate import Estimate
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap, Statistic, crossed
from identikit.statistics.intervals import (
    ANY,
    CORRELATION,
    SCORE,
    of_auc,
    of_balanced_accuracy,
    shifted,
    with_jackknife,
)


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bootstrap(n: int, seed: int) -> Bootstrap:
    generator = torch.Generator().manual_seed(seed)
    return Bootstrap(torch.arange(n), resamples=200, generator=generator)


def test_a_mean_over_many_factors_is_held() -> None:
    """Percentiles hold it in half of the cases: its bias is larger than its spread."""
    held, plain = 0, 0
    for seed in range(100):
        z, noise = normal(100, 37, seed=seed), normal(100, 37, seed=seed + 1000)
        each = measures.r2(0.5 * z + 0.5 * noise, z)
        mean = Statistic(lambda w, e=each: e(w).mean(1, keepdim=True), SCORE)
        found = bootstrap(100, seed).resampled(mean)
        (estimate,) = found.estimates()
        low, high = found.draws[:, 0].quantile(torch.tensor([0.025, 0.975]).double()).tolist()
        held += estimate.low <= 0.5 <= estimate.high
        plain += low <= 0.5 <= high
    assert held >= 89  # standard error 2
    assert plain < 75


@pytest.mark.parametrize(("share", "shift"), [(0.02, 1.0), (0.02, 3.0), (0.3, 3.0)])
def test_an_auc_of_few_positives_is_held(share: float, shift: float) -> None:
    truth, held = stats.norm.cdf(shift / math.sqrt(2)), 0
    for seed in range(100):
        positive = torch.arange(100) < 100 * share
        statistic = measures.auc(shift * positive + normal(100, seed=seed), positive.long())
        found = bootstrap(100, seed).resampled(statistic)
        estimate = of_auc(found.value.item(), found.draws[:, 0], rarer=100 * share)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        held += estimate.low <= truth <= estimate.high
    assert held >= 89


def test_a_share_of_hits_has_wilsons_interval_and_few_hits_a_wider_one() -> None:
    for hits, n in ((3, 4), (40, 50), (5000, 5000)):
        share, count = torch.tensor([[hits / n], [n]]).double()
        found = of_balanced_accuracy(share, count)
        wanted = stats.binomtest(hits, n).proportion_ci(method="wilson")
        wider = stats.t.ppf(0.975, n - 1) / stats.norm.ppf(0.975)
        low = max(0.0, found.value - wider * (found.value - wanted.low))
        high = min(1.0, found.value + wider * (wanted.high - found.value))
        assert (found.low, found.high) == pytest.approx((low, high))


def test_a_level_of_one_sample_leaves_nothing_to_say() -> None:
    found = of_balanced_accuracy(torch.tensor([1.0, 0.9]).double(), torch.tensor([1, 500]).double())
    assert found.high - found.low > 0.8
    few = of_auc(1.0, torch.full((100,), 1.0).double(), rarer=1.0)
    assert (few.low, few.high) == (0.0, 1.0)


@pytest.mark.parametrize("groups", [2, 10, 1000])
def test_ends_are_drawn_out_shifted_and_kept_in_range(groups: int) -> None:
    draws = normal(4000, 1, seed=0) * 0.1 + 0.45
    samples = torch.tensor([groups]).double()
    (found,) = shifted(torch.tensor([0.5]).double(), draws, samples=samples, within=ANY)
    t = stats.t.ppf(0.975, groups - 1) * math.sqrt(groups / (groups - 1))
    assert found.high - found.low == pytest.approx(2 * t * 0.1, rel=0.05)
    assert (found.high + found.low) / 2 == pytest.approx(0.55, abs=0.03 * t)
    (inside,) = shifted(torch.tensor([0.99]).double(), draws, samples=samples, within=SCORE)
    assert inside.high == 1
    (far,) = shifted(torch.tensor([3.0]).double(), draws, samples=samples, within=ANY)
    assert far.low <= far.value <= far.high


def test_a_jackknife_adds_its_variance() -> None:
    values = [0.5, 0.52, 0.47, 0.5, 0.51]
    found = with_jackknife(Estimate(0.5, 0.4, 0.55), values)
    sd = math.sqrt(4 / 5 * sum((v - np.mean(values)) ** 2 for v in values))
    arm = stats.t.ppf(0.975, 4) * sd
    assert found.low == pytest.approx(0.5 - math.hypot(0.1, arm))
    assert found.high == pytest.approx(0.5 + math.hypot(0.05, arm))


def test_crossed_points_vary_with_both_groupings() -> None:
    """Scores that depend on the factor alone: more encoders make them no surer."""
    rows, columns = torch.arange(400) // 10, torch.arange(400) % 10
    values = normal(10, seed=0)[columns]

    def mean(weights: torch.Tensor) -> torch.Tensor:
        return (weights @ values[:, None]) / weights.sum(1, keepdim=True)

    one, other = (
        Bootstrap(own, resamples=1000, generator=torch.Generator().manual_seed(k))
        for k, own in enumerate((rows, columns))
    )
    found = crossed(one, other, Statistic(mean, CORRELATION))
    wanted = normal(10, seed=0).std(correction=0).item() / math.sqrt(10)
    assert found.draws.std().item() == pytest.approx(wanted, rel=0.15)
    assert one.draws(Statistic(mean, ANY)).std().item() < 1e-9
    assert found.samples <= 10
