"""The interval of a mean over repetitions, against a table of Student's t."""

import pytest

from identikit.statistics.repetitions import mean_interval


def test_the_interval_of_a_mean_is_students() -> None:
    found = mean_interval([1.0, 2.0, 3.0])
    arm = 4.302653 / 3**0.5  # t of two degrees of freedom at 0.975; sd is 1
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2 - arm, 2 + arm))
