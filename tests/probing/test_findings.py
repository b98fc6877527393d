"""What a recovery says of each factor: sentences where they must be, and only there."""

from dataclasses import replace

import pytest

from identikit.core.estimate import Estimate
from identikit.core.factors import Kind
from identikit.core.finding import Verdict
from identikit.probing.recovery import Recovery
from identikit.probing.result import FactorScore

SCORE = FactorScore(
    name="size",
    kind=Kind.CONTINUOUS,
    measure="R²",
    estimate=Estimate(0.9, 0.88, 0.92),
    chance=0.0,
    p_holm=0.001,
    least_p_holm=0.001,
)
ABOVE, BELOW, UNCLEAR = (
    Estimate(0.2, 0.1, 0.3),
    Estimate(-0.2, -0.3, -0.1),
    Estimate(0.1, -0.1, 0.2),
)


def recovery(score: FactorScore, **controls: float) -> Recovery:
    beside = {
        name: (replace(score, estimate=Estimate(value, value - 0.02, value + 0.02), above={}),)
        for name, value in controls.items()
    }
    return Recovery(factors=(score,), controls=beside, n_train=100, n_test=100, dim=5)


@pytest.mark.parametrize(
    ("change", "controls", "verdict", "phrase"),
    [
        ({}, {}, Verdict.PRESENT, "no control is at hand to say whether it was learned"),
        ({"above": {"x": ABOVE}}, {"x": 0.7}, Verdict.LEARNED, "clearly above x"),
        ({"above": {"x": UNCLEAR}}, {"x": 0.8}, Verdict.NOT_LEARNED, "not clearly above x"),
        (
            {"above": {"twin": BELOW}},
            {"twin": 1.0},
            Verdict.NOT_LEARNED,
            "there is more of it in twin",
        ),
        (
            {"above": {"twin": BELOW, "x": ABOVE}},
            {"twin": 1.0, "x": 0.7},
            Verdict.NOT_LEARNED,
            "there is more of it in twin",
        ),
        (
            {"estimate": Estimate(0.01, -0.02, 0.04)},
            {},
            Verdict.NOT_SHOWN,
            "the interval reaches chance",
        ),
        ({"p_holm": 0.2}, {}, Verdict.NOT_SHOWN, "shuffled values do as well too often"),
        (
            {"p_holm": 0.25, "least_p_holm": 0.25},
            {},
            Verdict.UNDECIDED,
            "no p-value below 0.250 could have come out",
        ),
        ({"status": "the features do not vary"}, {}, Verdict.PRESENT, "the features do not vary"),
        ({"row_space": Estimate(0.85, 0.8, 0.9)}, {}, Verdict.PRESENT, "row space alone"),
        ({"row_space": Estimate(0.4, 0.3, 0.5)}, {}, Verdict.PRESENT, "more from its complement"),
        (
            {"row_space": Estimate(0.0, -0.1, 0.1)},
            {},
            Verdict.PRESENT,
            "outside the head row space, of which theory says nothing",
        ),
    ],
)
def test_every_branch(
    change: dict[str, object], controls: dict[str, float], verdict: Verdict, phrase: str
) -> None:
    found = recovery(replace(SCORE, **change), **controls)["size"]  # type: ignore[arg-type]
    assert found.verdict is verdict
    assert phrase in found.explained
    assert "guarantee" not in found.explained  # which nothing but an optimum could give


def test_a_measured_part_is_never_called_predicted() -> None:
    inside = replace(SCORE, row_space=Estimate(0.26, 0.2, 0.3))
    assert recovery(inside)["size"].predicted is None
    known = replace(recovery(inside), ceiling=0.95)
    assert known["size"].predicted == 0.95


def test_the_headline_speaks_of_every_control() -> None:
    found = recovery(replace(SCORE, above={"twin": BELOW}), twin=0.95)
    assert found.headline.tone == "warning"
    assert "1 of 1 present, but not clearly above every control (size)" in found.headline.sentence
