import dataclasses

import pytest

from identikit.core.errors import InputError
from identikit.theory.assumptions import SPAN, AssumptionCheck
from identikit.theory.explain import Cause, explain
from identikit.theory.sensitivity import Sensitivity

STEEP = Sensitivity(
    cheapest=0.2,
    equipartition=0.9,
    typical=3.0,
    degree=3,
    ceiling_excess=0.0,
    samples=4096,
)
FLAT = dataclasses.replace(STEEP, cheapest=0.004, equipartition=0.08, typical=1.4)
FEW = AssumptionCheck(
    name=SPAN, holds=False, detail="3 classes, affine rank 2 of 5", consequence=""
)
BROKEN = AssumptionCheck(name="labels are uniform", holds=False, detail="7 : 1", consequence="")


@pytest.mark.parametrize(
    ("given", "cause", "words"),
    [
        ({"r2": 0.99, "ceiling_r2": 1.0, "excess": 0.05}, Cause.NONE, "within 0.02 of the 1.000"),
        ({"r2": 0.85, "ceiling_r2": 0.852, "checks": (BROKEN,)}, Cause.WORLD, "uniform: 7 : 1"),
        ({"r2": 0.5, "ceiling_r2": 1.0, "samples": 40, "dim": 5}, Cause.SAMPLE, "40 samples"),
        ({"r2": 0.5, "ceiling_r2": 1.0, "interrupted": True}, Cause.INTERRUPTED, "Resume"),
        ({"r2": 0.5, "ceiling_r2": 1.0, "rank": 3, "dim": 5}, Cause.OPTIMISER, "3 of 5"),
        ({"r2": 0.9, "ceiling_r2": 0.85, "excess": 0.3}, Cause.OPTIMISER, "above the 0.850"),
        ({"r2": 0.6, "ceiling_r2": 0.45, "checks": (FEW,)}, Cause.WORLD, "rank 2 of 5"),
        ({"r2": 0.3, "ceiling_r2": 0.45, "checks": (FEW,), "excess": 0.1}, Cause.UNKNOWN, "rank 2"),
        ({"r2": 0.9}, Cause.UNKNOWN, "No ceiling"),
        (
            {"r2": 0.9, "ceiling_r2": 1.0, "excess": 0.1, "row_noise": 0.06, "seen": 160.0},
            Cause.SAMPLE,
            "saw each label 160 times",
        ),
        (
            {"r2": 0.9, "ceiling_r2": 1.0, "excess": 0.2, "row_noise": 0.06, "sensitivity": STEEP},
            Cause.OPTIMISER,
            "enough to account for",
        ),
        ({"r2": 0.5, "ceiling_r2": 1.0}, Cause.UNKNOWN, "without the excess"),
        (
            {"r2": 0.9, "ceiling_r2": 1.0, "excess": 0.2, "sensitivity": STEEP},
            Cause.OPTIMISER,
            "enough to account for",
        ),
        (
            {"r2": 0.9, "ceiling_r2": 1.0, "excess": 1.2, "sensitivity": STEEP},
            Cause.OPTIMISER,
            "more than the 0.3 nats",
        ),
        (
            {"r2": 0.9, "ceiling_r2": 1.0, "excess": 0.007, "sensitivity": FLAT},
            Cause.FLAT_LOSS,
            "within 0.007 nats",
        ),
        (
            {"r2": 0.5, "ceiling_r2": 1.0, "excess": 0.001, "sensitivity": STEEP},
            Cause.UNKNOWN,
            "too small",
        ),
    ],
)
def test_every_cause_is_named(given, cause, words):
    got = explain(**given)
    assert got.cause is cause
    assert words in got.sentence


def test_the_optimum_s_own_excess_is_not_held_against_the_run():
    narrow = dataclasses.replace(FLAT, ceiling_excess=0.07)
    got = explain(r2=0.8, ceiling_r2=0.85, excess=0.08, sensitivity=narrow)
    assert got.cause is Cause.FLAT_LOSS


def test_noise_in_the_excess_is_allowed_for():
    given = {"r2": 0.9, "ceiling_r2": 1.0, "excess": 0.015, "sensitivity": STEEP}
    assert explain(**given).cause is Cause.UNKNOWN
    assert explain(**given, excess_standard_error=0.01).cause is Cause.FLAT_LOSS


@pytest.mark.parametrize("value", [1.5, float("nan")])
def test_impossible_scores_are_refused(value):
    with pytest.raises(InputError, match="r2 must be"):
        explain(r2=value, ceiling_r2=1.0)
    with pytest.raises(InputError, match="ceiling_r2 must be"):
        explain(r2=0.5, ceiling_r2=value)
