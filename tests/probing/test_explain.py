"""One phrase per factor, by rule."""

from dataclasses import replace

import pytest
from identikit.probing.explain import explain_factor

from identikit.core.estimate import Estimate
from identikit.core.factors import Kind
from identikit.probing.result import FactorScore

SCORE = FactorScore(
    name="size",
    kind=Kind.CONTINUOUS,
    measure="R²",
    estimate=Estimate(0.9, 0.88, 0.92),
    chance=0.0,
)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({}, "nothing is guaranteed"),
        ({"estimate": Estimate(0.01, -0.02, 0.04)}, "no better than chance"),
        ({"head row space": Estimate(0.85, 0.8, 0.9)}, "inside the covered part"),
        ({"head row space": Estimate(0.4, 0.3, 0.5)}, "partly outside"),
        ({"head row space": Estimate(0.0, -0.1, 0.1)}, "outside the covered part: inductive bias"),
        ({"status": "the features do not vary"}, "the features do not vary"),
    ],
)
def test_every_branch(change, phrase):
    assert phrase in explain_factor(replace(SCORE, **change))
