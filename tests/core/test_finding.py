"""Verdicts, each on a case that was built for it."""

import pytest

from identikit.core.estimate import Estimate
from identikit.core.finding import Verdict, judge_interval


@pytest.mark.parametrize(
    ("low", "value", "high", "enough", "wanted"),
    [
        (0.99, 0.995, 1.0, True, Verdict.AS_PREDICTED),
        (0.97, 0.99, 1.0, True, Verdict.UNDECIDED),  # near enough, but not for sure
        (0.9, 0.95, 0.985, True, Verdict.UNDECIDED),  # too low, but not for sure
        (0.9, 0.93, 0.97, True, Verdict.LESS),
        (0.9, 0.93, 0.97, False, Verdict.UNDECIDED),
        (1.03, 1.05, 1.06, True, Verdict.MORE),
        (0.99, 1.01, 1.03, True, Verdict.UNDECIDED),
        (float("nan"), 1.0, float("nan"), True, Verdict.UNDECIDED),
    ],
)
def test_a_prediction_is_met_or_missed_by_the_whole_interval(
    low: float, value: float, high: float, enough: bool, wanted: Verdict
) -> None:
    assert judge_interval(Estimate(value, low, high), 1.0, within=0.02, enough=enough) is wanted
