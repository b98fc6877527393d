"""Intervals hold the truth where samples are few, and their estimate always."""

import math
import sys

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
    caveat,
    effective,
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


def mean_of(each: Statistic) -> Statistic:
    return Statistic(lambda w: each(w).mean(1, keepdim=True), SCORE)


def test_a_mean_over_many_factors_is_held() -> None:
    """Percentiles hold it in half of the cases: its bias is larger than its spread."""
    held, plain = 0, 0
    for seed in range(100):
        z, noise = normal(100, 37, seed=seed), normal(100, 37, seed=seed + 1000)
        each = measures.r2(0.5 * z + 0.5 * noise, z)
        found = bootstrap(100, seed).resampled(mean_of(each))
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


def test_effective_samples_are_those_that_decide_a_score() -> None:
    """2 n / (kurtosis - 1), known for each column; all are from 1,000 samples."""
    share = torch.full((1000,), -0.1).double()
    share[:100] = 0.9  # a tenth: kurtosis - 1 is .64 / .09
    one = torch.zeros(1000).double()
    one[0] = 1.0  # nothing but one sample counts
    even = torch.ones(1000).double() - 2 * (torch.arange(1000) % 2)
    nothing = torch.zeros(1000).double()
    found = effective(torch.stack([share, 1e-9 * share, one, even, nothing], dim=1))
    assert found.tolist() == pytest.approx([281.25, 281.25, 2 * 1000 / 999, 1000, 1000])
    normals = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    assert effective(torch.tensor(normals)[:, None]).item() == pytest.approx(1000, rel=0.03)


@pytest.mark.parametrize("groups", [60, 15])
def test_influences_are_derivatives_by_the_weights_of_groups(groups: int) -> None:
    z, noise = normal(60, 2, seed=0), normal(60, 2, seed=1)
    label, named = (z[:, 0] > 0.8).long(), (z[:, 0] + noise[:, 0] > 0.8).long()
    group = torch.arange(60) % groups
    resamples = Bootstrap(group, resamples=100, generator=torch.Generator())
    for statistic in (
        measures.r2(z + noise, z),
        measures.r2(z + noise, z, pooled=True),
        measures.correlation(z + noise, z),
        measures.spearman((z + noise)[:, 0], z[:, 0].round()),
        measures.auc(noise[:, 0], label),
        measures.balanced_accuracy(named, label),
        measures.average_precision(noise[:, 0], label),
        measures.macro_f1(named, label),
        measures.class_correlation(named, label),
    ):
        step = 1e-5 * torch.nn.functional.one_hot(group).T.double()
        wanted = (statistic(1 + step) - statistic(1 - step)) / 2e-5
        torch.testing.assert_close(resamples.influence(statistic), wanted, rtol=1e-5, atol=1e-8)


def test_influences_do_not_wait_for_sympy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes torch longer to import than most probes take."""
    monkeypatch.setitem(sys.modules, "torch.fx.experimental.symbolic_shapes", None)
    z = normal(20, 2, seed=0)
    found = bootstrap(20, seed=0).influence(measures.correlation(z, z + normal(20, 2, seed=1)))
    assert found.shape == (20, 2)


def test_a_difference_of_scores_is_as_unsure_as_its_rare_level() -> None:
    """Six of 300 samples in a level: drawn out for these, and never beyond the range."""
    target = torch.cat([torch.arange(294) % 2, torch.full((6,), 2)])
    one, other = (
        torch.randint(3, (300,), generator=torch.Generator().manual_seed(k)) for k in (0, 1)
    )
    resamples = bootstrap(300, seed=0)
    own, beside = (
        resamples.resampled(measures.balanced_accuracy(named, target)) for named in (one, other)
    )
    difference = own - beside
    assert difference.within == ((-1.0, 1.0),)
    assert 2 <= difference.samples.item() <= 20
    (estimate,) = difference.estimates()
    low, high = difference.draws[:, 0].quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    assert estimate.high - estimate.low > 1.1 * (high - low)


def test_few_effective_samples_are_said() -> None:
    assert caveat(9, of=40).startswith("9 effective samples of 40")
    assert caveat(99, of=5000)
    assert not any((caveat(10, of=40), caveat(30, of=300), caveat(100, of=5000)))
