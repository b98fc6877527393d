"""Two runs side by side, against independent computations of the interval of a difference."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.runs.listed import make

from identikit.core.estimate import Estimate, Spread
from identikit.core.finding import Quantity
from identikit.runs.difference import Compared, difference


def compared(root: Path, a: Quantity | None, b: Quantity | None) -> Compared:
    runs = make(root / "a", recovered=a), make(root / "b", recovered=b)
    return difference(*runs).findings[0]


def test_options_that_differ_are_told_and_no_others(tmp_path: Path) -> None:
    one, other = make(tmp_path, kappa=10), make(tmp_path, kappa=50, seed=3)
    assert difference(one, other).config == {"world.kappa": (10.0, 50.0), "seed": (0, 3)}
    assert difference(one, one).config == {}
    older = make(tmp_path, version=1)
    assert [*difference(one, older).config] == ["version"]


def test_symmetric_intervals_add_as_independent_errors_do(tmp_path: Path) -> None:
    found = compared(tmp_path, Estimate(0.9, 0.87, 0.93), Estimate(0.5, 0.46, 0.54)).difference
    assert isinstance(found, Estimate)
    np.testing.assert_allclose(
        [found.value, found.low, found.high], [0.4, 0.35, 0.45], rtol=0, atol=1e-12
    )


def test_a_skewed_interval_keeps_its_skew(tmp_path: Path) -> None:
    found = compared(tmp_path, Estimate(0.9, 0.6, 0.95), Estimate(0.5, 0.5, 0.9)).difference
    assert isinstance(found, Estimate)
    assert found.low == pytest.approx(0.4 - math.hypot(0.3, 0.4))
    assert found.high == pytest.approx(0.4 + 0.05)


def test_a_mean_over_seeds_has_the_interval_of_students_t(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=4)
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    found = compared(tmp_path, Spread.of(values.tolist()), 0.0).difference
    assert isinstance(found, Estimate)
    np.testing.assert_allclose([found.low, found.high], [low, high])


def test_the_interval_holds_the_difference_as_often_as_it_says(tmp_path: Path) -> None:
    from identikit.runs.difference import _less

    generator, hits = np.random.default_rng(1), 0
    for _ in range(2000):
        a, b = generator.normal([1.0, 0.4], [0.1, 0.05])
        found = _less(
            Estimate(a, a - 0.196, a + 0.196), Estimate(b, b - 1.96 * 0.05, b + 1.96 * 0.05)
        )
        assert isinstance(found, Estimate)
        hits += found.low <= 0.6 <= found.high
    assert stats.binomtest(hits, 2000, 0.95).pvalue > 0.001


def test_numbers_without_intervals_and_missing_ones(tmp_path: Path) -> None:
    assert compared(tmp_path, 3, 1.5).difference == 1.5
    assert compared(tmp_path / "x", None, 1.5).difference is None
    single = compared(tmp_path / "y", Spread(0.9, None, 1), 0.5).difference
    assert isinstance(single, Estimate)
    assert (single.low, single.high) == (-math.inf, math.inf)
