"""Verdicts follow every control: each is given where it must be, and nowhere else."""

import pytest

from identikit.core.estimate import Estimate, Spread
from identikit.core.finding import (
    Control,
    Finding,
    Verdict,
    beside_controls,
    controls_of,
    factor_headline,
    judge_factor,
    judge_interval,
    judge_prediction,
)

HIGH, LEVEL, CHANCE = Estimate(0.8, 0.7, 0.9), Estimate(0.3, 0.1, 0.5), Estimate(0.05, -0.1, 0.2)
ABOVE, BELOW, UNCLEAR = Estimate(0.2, 0.1, 0.3), Estimate(-0.6, -0.7, -0.5), Estimate(0.1, 0.0, 0.2)


def control(lead: Estimate | None, recovered: Estimate | Spread | float = 0.5) -> Control:
    return Control(name="untrained", recovered=recovered, lead=lead)


@pytest.mark.parametrize(
    ("recovered", "options", "verdict"),
    [
        (HIGH, {}, Verdict.PRESENT),
        (HIGH, {"controls": [control(ABOVE)]}, Verdict.LEARNED),
        (HIGH, {"controls": [control(ABOVE), control(UNCLEAR)]}, Verdict.NOT_LEARNED),
        (HIGH, {"controls": [control(BELOW)]}, Verdict.NOT_LEARNED),
        (LEVEL, {"controls": [control(ABOVE)]}, Verdict.LEARNED),
        (CHANCE, {}, Verdict.NOT_SHOWN),
        (CHANCE, {"controls": [control(ABOVE)]}, Verdict.NOT_SHOWN),
        (HIGH, {"p": 0.06}, Verdict.NOT_SHOWN),
        (HIGH, {"p": 0.01, "controls": [control(ABOVE)]}, Verdict.LEARNED),
        (HIGH, {"p": 0.2, "least_p": 0.2}, Verdict.UNDECIDED),
        (HIGH, {"p": 0.01, "least_p": 0.001}, Verdict.PRESENT),
        # without a paired difference the intervals must not meet
        (HIGH, {"controls": [control(None, 0.69)]}, Verdict.LEARNED),
        (HIGH, {"controls": [control(None, 0.71)]}, Verdict.NOT_LEARNED),
        (HIGH, {"controls": [control(None, Estimate(0.6, 0.5, 0.75))]}, Verdict.NOT_LEARNED),
        (HIGH, {"controls": [control(None, Spread(0.6, 0.05, 3))]}, Verdict.LEARNED),
        (HIGH, {"controls": [control(None, Spread(0.6, 0.15, 3))]}, Verdict.NOT_LEARNED),
    ],
)
def test_a_factor_is_judged_by_chance_and_by_every_control(
    recovered: Estimate, options: dict[str, object], verdict: Verdict
) -> None:
    assert judge_factor(recovered, chance=0.0, **options) is verdict  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("recovered", "close", "verdict"),
    [(0.9, True, Verdict.AS_PREDICTED), (0.9, False, Verdict.LESS), (1.1, False, Verdict.MORE)],
)
def test_a_prediction_is_met_or_not(recovered: float, close: bool, verdict: Verdict) -> None:
    assert judge_prediction(recovered, 1.0, close=close) is verdict


@pytest.mark.parametrize(
    ("controls", "words"),
    [
        ([ABOVE, 0.69], "clearly above c0, c1"),
        ([BELOW], "there is more of it in c0"),
        ([UNCLEAR], "not clearly above c0"),
        ([ABOVE, 0.91], "there is more of it in c1"),
        ([0.8, 0.69], "not clearly above c0"),
        ([BELOW, 0.91, UNCLEAR], "there is more of it in c0, c1, not clearly above c2"),
    ],
)
def test_words_name_the_controls_that_are_not_cleared(
    controls: list[Estimate | float], words: str
) -> None:
    """Estimates are paired leads, numbers are controls without one."""
    named = [
        Control(name=f"c{k}", recovered=0.5, lead=one)
        if isinstance(one, Estimate)
        else Control(name=f"c{k}", recovered=one)
        for k, one in enumerate(controls)
    ]
    assert beside_controls(HIGH, named) == words


def finding(name: str, verdict: Verdict, *controls: Control) -> Finding:
    return Finding(
        quantity=name, recovered=HIGH, explained="", verdict=verdict, controls=tuple(controls)
    )


@pytest.mark.parametrize(
    ("verdicts", "word", "tone", "said"),
    [
        ("LL", "Learned", "good", "2 of 2 learned (f0, f1)."),
        ("LN", "Learned in part", "warning", "1 of 2 present, but not clearly above every control"),
        ("NN", "Present, not learned", "warning", "2 of 2 present, but not clearly above"),
        ("PS", "Present", "neutral", "with no control at hand to say whether learned"),
        ("SS", "Not shown", "neutral", "2 of 2 not shown (f0, f1)."),
        ("UU", "Undecided", "neutral", "for want of independent samples"),
    ],
)
def test_the_headline_counts_verdicts_and_never_says_more(
    verdicts: str, word: str, tone: str, said: str
) -> None:
    names = {
        "L": Verdict.LEARNED,
        "N": Verdict.NOT_LEARNED,
        "P": Verdict.PRESENT,
        "S": Verdict.NOT_SHOWN,
        "U": Verdict.UNDECIDED,
    }
    found = factor_headline([finding(f"f{k}", names[v]) for k, v in enumerate(verdicts)])
    assert (found.word, found.tone) == (word, tone)
    assert said in found.sentence
    assert ("learned (" in found.sentence) == ("L" in verdicts)


def test_every_verdict_has_a_colour_and_only_what_was_learned_or_predicted_is_green() -> None:
    assert {v for v in Verdict if v.tone == "good"} == {Verdict.LEARNED, Verdict.AS_PREDICTED}


def test_controls_are_columns_in_the_order_in_which_they_come() -> None:
    x, twin = Control(name="x", recovered=0.1), Control(name="twin", recovered=0.2)
    found = [finding("a", Verdict.PRESENT, x), finding("b", Verdict.PRESENT, twin, x)]
    assert controls_of(found) == ["x", "twin"]


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
