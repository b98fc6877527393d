"""The schedule's shape, and settings that cannot be."""

import math
from itertools import pairwise
from typing import Any, Literal, get_args

import pytest

from identikit.core.errors import InputError
from identikit.training.config import TrainingConfig

Schedule = Literal["linear", "cosine", "constant"]
SCHEDULES = get_args(Schedule)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_rise_linearly_and_never_rest_at_zero(schedule: Schedule) -> None:
    config = TrainingConfig(schedule=schedule, warmup=0.2)
    assert config.rate_share(0.05) == pytest.approx(0.25)
    assert config.rate_share(0.1) == pytest.approx(0.5)
    assert config.rate_share(0.2) == 1
    assert 0 < config.rate_share(0.0) < 0.1


@pytest.mark.parametrize("warmup", [0.0, 0.2])
@pytest.mark.parametrize(
    ("schedule", "after"),
    [
        ("linear", {0: 1.0, 0.25: 0.75, 0.5: 0.5, 1: 0.0}),
        ("cosine", {0: 1.0, 1 / 3: 0.75, 0.5: 0.5, 1: 0.0}),
        ("constant", {0: 1.0, 0.25: 1.0, 0.5: 1.0, 1: 1.0}),
    ],
)
def test_rates_fall_as_the_schedule_says(
    schedule: Schedule, after: dict[float, float], warmup: float
) -> None:
    config = TrainingConfig(schedule=schedule, warmup=warmup)
    for share, expected in after.items():
        progress = warmup + share * (1 - warmup)
        assert config.rate_share(progress) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_never_jump_and_only_fall_after_the_warmup(schedule: Schedule) -> None:
    config = TrainingConfig(schedule=schedule, warmup=0.1)
    shares = [config.rate_share(i / 1000) for i in range(1001)]
    assert all(0 <= share <= 1 for share in shares)
    assert all(abs(b - a) < 0.02 for a, b in pairwise(shares))
    assert all(b <= a for a, b in pairwise(shares[100:]))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_budget_that_was_overrun_leaves_no_rate(schedule: Schedule) -> None:
    assert TrainingConfig(schedule=schedule).rate_share(1.5) == pytest.approx(0, abs=1e-12)


def test_batches_grow_geometrically_in_whole_numbers_of_the_first() -> None:
    config = TrainingConfig(steps=1000, batch_size=64, final_batch_size=64 * 16)
    times = [config.batches_in_one(step) for step in range(1000)]
    assert all(b >= a for a, b in pairwise(times))
    assert [times[0], times[250], times[500], times[750], times[-1]] == [1, 2, 4, 8, 16]
    assert {TrainingConfig().batches_in_one(step) for step in (0, 1599)} == {1}


def test_batches_that_start_larger_than_they_end_stay_as_they_are() -> None:
    config = TrainingConfig(steps=100, batch_size=512, final_batch_size=256)
    assert config.samples(100) == 100 * 512


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("batch_size", 0),
        ("rate", 0.0),
        ("head_rate", -1.0),
        ("muon_rate", math.nan),
        ("warmup", 1.0),
        ("warmup", -0.1),
        ("muon_momentum", 1.0),
        ("second_moment", math.nan),
        ("max_seconds", 0.0),
        ("max_seconds", math.nan),
    ],
)
def test_values_that_cannot_be_are_named(field: str, value: float) -> None:
    wrong: dict[str, Any] = {field: value}
    with pytest.raises(InputError, match=rf"training {field} .*got {value}"):
        TrainingConfig(**wrong)


def test_samples_are_those_of_all_steps() -> None:
    assert TrainingConfig(steps=10, batch_size=32).samples(10) == 320
    growing = TrainingConfig(steps=100, batch_size=32, final_batch_size=256)
    assert growing.samples(100) == 32 * sum(growing.batches_in_one(k) for k in range(100))
    assert 3200 < growing.samples(100) < 25_600
