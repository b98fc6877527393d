"""Numbers as a reader wants them: sensible digits, decided by the interval where there is one."""

import math

import pytest

from identikit.core.estimate import (
    Estimate,
    as_text,
    format_number,
    format_time_left,
    power_of_ten,
    with_ends,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.99342, "0.993"),
        (1.0, "1.000"),
        (-0.25, "−0.250"),
        (-0.0001e-30, "−1.0 × 10⁻³⁴"),
        (0.0, "0.000"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (10240, "10,240"),
        (2.13e-5, "2.1 × 10⁻⁵"),
        (math.nan, "n/a"),
        (-math.inf, "−∞"),
    ],
)
def test_numbers_have_sensible_digits(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.9931, 0.9912, 0.9949), "0.993 [0.991, 0.995]"),
        (Estimate(0.99342, 0.99288, 0.99379), "0.9934 [0.9929, 0.9938]"),
        (Estimate(0.52, 0.50, 0.54), "0.52 [0.50, 0.54]"),
        (Estimate(-0.0001, -0.2, 0.2), "0.00 [−0.20, 0.20]"),
        (Estimate(1.0, 1.0, 1.0), "1.000 [1.000, 1.000]"),
        (Estimate(1 - 1e-13, 1 - 2e-13, 1.0), "1.000000 [1.000000, 1.000000]"),
        (Estimate(12.3, 11.9, 12.7), "12.3 [11.9, 12.7]"),
    ],
)
def test_the_interval_decides_the_digits(estimate: Estimate, text: str) -> None:
    assert str(estimate) == text


def test_powers_of_ten() -> None:
    assert [power_of_ten(e) for e in (-4, -3, 0, 3, 12)] == ["10⁻⁴", "0.001", "1", "1,000", "10¹²"]


def test_a_bare_number_is_its_own_interval() -> None:
    assert with_ends(0.5) == (0.5, 0.5, 0.5)
    assert with_ends(Estimate(0.5, 0.4, 0.7)) == (0.5, 0.4, 0.7)
    assert as_text(0.5) == "0.500"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (89.0, ", about 89 s left"), (90.0, ", about 2 min left")],
)
def test_time_left_is_told_roughly(seconds: float | None, words: str) -> None:
    assert format_time_left(seconds) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000999, "0.001"), (-0.00099999, "−0.001"), (0.00099, "9.9 × 10⁻⁴"), (1e7, "1.0 × 10⁷")],
)
def test_a_number_is_rounded_before_its_form_is_chosen(value: float, text: str) -> None:
    assert format_number(value) == text
