"""Every cause has a planted case that is named and look-alikes that are not.

Numbers are those of real runs (d = 5, 100 classes, fast recipe) unless a test says otherwise.
"""

import dataclasses
from typing import Any

import pytest

from identikit.core.errors import InputError
from identikit.theory.assumptions import AssumptionCheck
from identikit.theory.explain import (
    Cause,
    Experiment,
    Explanation,
    Variation,
    explain_gap,
    has_arrived,
)
from identikit.theory.sensitivity import Sensitivity

BASE = Sensitivity(
    cheapest=0.206,
    equipartition=0.845,
    typical=2.94,
    slope=0.0,
    steepest=0.0,
    degree=3,
    ceiling_excess=0.0,
    samples=2048,
)
FAR = dataclasses.replace(BASE, cheapest=0.0112, equipartition=0.0726, typical=5.5)
"""kappa = 50."""
LAPLACE = dataclasses.replace(
    BASE,
    cheapest=0.287,
    equipartition=0.725,
    typical=1.015,
    slope=0.41,
    steepest=0.52,
    ceiling_excess=0.0638,
)
BROKEN = AssumptionCheck(name="labels are uniform", holds=False, detail="7 : 1", consequence="")
COMMAND = "identikit simulate --seed 3"

Given = dict[str, Any]
PAPER: Given = {"ceiling_r2": 1.0, "excess_standard_error": 0.0003, "sensitivity": BASE}
LAPLACE_WORLD: Given = {
    "ceiling_r2": 0.94,
    "excess_standard_error": 0.001,
    "sensitivity": LAPLACE,
    "checks": (BROKEN,),
}
NARROW = PAPER | {"r2": 0.9029, "excess": 0.189, "rank": 5, "needed": 5, "most": 8}
SHORT = PAPER | {"r2": 0.961, "excess": 0.2567, "row_noise": 0.1331, "seen": 30.0}
FAR_WORLD = PAPER | {"sensitivity": FAR}
SLOW = FAR_WORLD | {"r2": 0.8392, "excess": 0.0472}
STUCK = FAR_WORLD | {"r2": 0.7347, "excess": 0.056}


def tried(variation: Variation, r2: float, excess: float | None = None) -> Experiment:
    return Experiment(variation=variation, detail=f"({variation})", r2=r2, excess=excess)


ORACLE, WIDER, LONGER = Variation.ORACLE, Variation.WIDER, Variation.LONGER
RESTART, CLASSES = Variation.RESTART, Variation.CLASS_LABELS

PLANTED: list[tuple[Given, Cause]] = [
    (PAPER | {"r2": 0.996, "excess": 0.0116}, Cause.NONE),
    (LAPLACE_WORLD | {"r2": 0.941, "excess": 0.066}, Cause.WORLD),
    (LAPLACE_WORLD | {"r2": 0.97, "excess": 0.072}, Cause.WORLD),  # steepest sqrt(.008) = .047
    (PAPER | {"r2": 0.7, "excess": 0.5, "rank": 4, "needed": 5, "most": 4}, Cause.ENCODER),
    (
        NARROW | {"experiments": (tried(LONGER, 0.9008, 0.1795), tried(ORACLE, 0.9106))},
        Cause.ENCODER,
    ),
    (
        NARROW | {"experiments": (tried(LONGER, 0.9008, 0.1795), tried(WIDER, 0.995, 0.014))},
        Cause.ENCODER,
    ),
    (
        SLOW | {"experiments": (tried(LONGER, 0.9989, 0.0023), tried(RESTART, 0.98, 0.022))},
        Cause.OPTIMISER,
    ),
    (
        STUCK | {"experiments": (tried(RESTART, 0.98, 0.022), tried(LONGER, 0.74, 0.055))},
        Cause.BASIN,
    ),
    (
        STUCK | {"experiments": (tried(RESTART, 0.98, 0.022), tried(LONGER, 0.85, 0.04))},
        Cause.BASIN,
    ),
    (
        STUCK | {"experiments": (tried(RESTART, 0.98, 0.022), tried(LONGER, 0.9494, 0.009))},
        Cause.BASIN,
    ),
    (
        FAR_WORLD
        | {
            "r2": 0.95,
            "excess": 0.001,
            "experiments": (
                tried(RESTART, 0.949, 0.001),
                tried(ORACLE, 0.999),
                tried(LONGER, 0.955, 0.0009),
            ),
        },
        Cause.FLAT_LOSS,
    ),
    (
        PAPER
        | {
            "r2": 0.9,
            "excess": 0.1,
            "row_noise": 0.06,
            "seen": 160.0,
            "experiments": (tried(CLASSES, 0.98, 0.02),),
        },
        Cause.ROW_NOISE,
    ),
    (SHORT | {"experiments": (tried(CLASSES, 0.9676, 0.0793), tried(LONGER, 0.994, 0.015))},
     Cause.OPTIMISER),
    (PAPER | {"r2": 0.9, "excess": 0.1, "interrupted": True}, Cause.INTERRUPTED),
    (LAPLACE_WORLD | {"r2": 0.94, "excess": 0.13, "interrupted": True}, Cause.INTERRUPTED),
    (PAPER | {"r2": 0.5, "excess": 0.1, "samples": 40, "dim": 5}, Cause.SAMPLE),
    (PAPER | {"r2": 0.5, "excess": 0.001}, Cause.UNKNOWN),  # too small for that gap
    ({"r2": 0.9}, Cause.UNKNOWN),
    ({"r2": 0.85, "ceiling_r2": 0.852}, Cause.UNKNOWN),  # arrived or passing by
    ({"r2": 0.5, "ceiling_r2": 1.0}, Cause.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("given", "cause"), PLANTED)
def test_a_planted_cause_is_named(given: Given, cause: Cause) -> None:
    assert explain_gap(**given).cause is cause


LOOK_ALIKES: list[tuple[Given, tuple[Cause, ...]]] = [
    # R² is that of the optimum, the loss is twice the optimum's: 250 steps
    (LAPLACE_WORLD | {"r2": 0.9311, "excess": 0.1292}, (Cause.OPTIMISER, Cause.ENCODER)),
    # R² is above the optimum's, and the loss says why
    (LAPLACE_WORLD | {"r2": 0.97, "excess": 0.13}, (Cause.OPTIMISER, Cause.ENCODER)),
    ({"r2": 0.9, "ceiling_r2": 0.85}, (Cause.OPTIMISER, Cause.ENCODER)),
    (NARROW, (Cause.OPTIMISER, Cause.ENCODER)),
    # an oracle of as few steps falls as short: that is no proof against the encoder
    (NARROW | {"experiments": (tried(ORACLE, 0.91),)}, (Cause.OPTIMISER, Cause.ENCODER)),
    # a wider encoder also learns faster
    (NARROW | {"experiments": (tried(WIDER, 0.99, 0.02),)}, (Cause.OPTIMISER, Cause.ENCODER)),
    (SLOW, (Cause.OPTIMISER, Cause.BASIN, Cause.ENCODER, Cause.FLAT_LOSS)),
    (STUCK, (Cause.OPTIMISER, Cause.BASIN, Cause.ENCODER, Cause.FLAT_LOSS)),
    (STUCK | {"experiments": (tried(RESTART, 0.98, 0.022),)}, (Cause.OPTIMISER, Cause.BASIN)),
    (
        FAR_WORLD | {"r2": 0.95, "excess": 0.001},
        (Cause.FLAT_LOSS, Cause.BASIN, Cause.OPTIMISER, Cause.ENCODER),
    ),
    (SHORT, (Cause.OPTIMISER, Cause.ENCODER, Cause.ROW_NOISE)),
    # class labels close .007 of .039
    (
        SHORT | {"experiments": (tried(CLASSES, 0.9676, 0.0793),)},
        (Cause.OPTIMISER, Cause.ENCODER),
    ),
    (
        PAPER | {"r2": 0.7, "excess": 0.5, "rank": 4, "needed": 5, "most": 64},
        (Cause.BASIN, Cause.OPTIMISER, Cause.ENCODER),
    ),
]


@pytest.mark.parametrize(("given", "possible"), LOOK_ALIKES)
def test_a_look_alike_stays_undecided_and_lists_what_is_possible(
    given: Given, possible: tuple[Cause, ...]
) -> None:
    got = explain_gap(**given, command=COMMAND)
    assert got.cause is Cause.UNDECIDED
    assert got.possible == possible
    assert got.next_command == f"{COMMAND} --diagnose"
    assert explain_gap(**given).next_command is None


def test_an_oracle_that_gets_there_leaves_the_optimiser() -> None:
    got = explain_gap(**NARROW, experiments=(tried(ORACLE, 0.999),))
    assert got.cause is Cause.OPTIMISER
    assert "The encoder is not in the way" in got.sentence
    ways = (tried(ORACLE, 0.999), tried(LONGER, 0.9, 0.18), tried(WIDER, 0.99, 0.02))
    assert "does not find that from labels" in explain_gap(**NARROW, experiments=ways).sentence


def test_what_nothing_helps_is_unknown() -> None:
    ways = (tried(ORACLE, 0.999), tried(LONGER, 0.9, 0.18), tried(RESTART, 0.9, 0.19))
    got = explain_gap(**NARROW, experiments=ways)
    assert got.cause is Cause.UNKNOWN
    assert "a longer run ((a longer run)): R² is 0.900, excess 0.18" in got.sentence


def test_where_the_optimum_is_below_one_the_world_is_named_beside_the_cause() -> None:
    got = explain_gap(**LAPLACE_WORLD, r2=0.8, excess=0.3)
    assert got.cause is Cause.UNDECIDED
    assert "from 1 to 0.940 (not so here: labels are uniform: 7 : 1)" in got.sentence


def test_whether_the_loss_has_arrived_is_decided_before_the_score() -> None:
    def arrived(excess: float | None, **given: Any) -> bool | None:
        found: Explanation = explain_gap(**(LAPLACE_WORLD | given), excess=excess)
        return found.arrived

    assert arrived(0.066, r2=0.94) is True
    assert arrived(0.13, r2=0.94) is False
    assert arrived(None, r2=0.94) is None
    full = explain_gap(**PAPER, r2=0.99, excess=0.05)
    assert (full.cause, full.arrived) == (Cause.NONE, False)
    assert "still 0.05 nats above the optimum" in full.sentence


def test_noise_in_rows_is_no_fault_of_h() -> None:
    given = LAPLACE_WORLD | {"r2": 0.94, "excess": 0.1}
    assert explain_gap(**given).cause is Cause.UNDECIDED
    assert explain_gap(**given, row_noise=0.035).cause is Cause.WORLD


def test_the_optimum_s_own_excess_is_not_held_against_the_run() -> None:
    given: Given = {"r2": 0.8, "ceiling_r2": 0.85, "excess": 0.08, "sensitivity": FAR}
    flat = dataclasses.replace(FAR, ceiling_excess=0.079)
    assert explain_gap(**given).possible[0] is Cause.OPTIMISER
    assert explain_gap(**given | {"sensitivity": flat}).possible[0] is Cause.FLAT_LOSS


def test_a_soft_ceiling_leaves_room() -> None:
    given = LAPLACE_WORLD | {"r2": 0.905, "excess": 0.066}
    assert explain_gap(**given).cause is Cause.UNDECIDED
    assert explain_gap(**given, ceiling_spread=0.02).cause is Cause.WORLD


def test_noise_in_the_excess_is_allowed_for() -> None:
    given: Given = {"r2": 0.9, "ceiling_r2": 1.0, "excess": 0.015, "sensitivity": BASE}
    assert explain_gap(**given).cause is Cause.UNKNOWN
    assert explain_gap(**given, excess_standard_error=0.01).cause is Cause.UNDECIDED


def test_what_the_head_does_not_see_is_called_inductive_bias() -> None:
    given = LAPLACE_WORLD | {"ceiling_r2": 0.45, "r2": 0.45, "excess": 0.064}
    got = explain_gap(**given, r2_all=0.6)
    assert got.cause is Cause.WORLD
    assert "all of h gives 0.600" in got.sentence


@pytest.mark.parametrize(("ceiling", "said"), [(0.0, True), (0.3, False)])
def test_where_labels_say_nothing_nothing_was_identified(ceiling: float, said: bool) -> None:
    silent = dataclasses.replace(BASE, cheapest=1e-12, equipartition=1e-12, steepest=1e6)
    found = explain_gap(
        r2=0.58,
        ceiling_r2=ceiling,
        excess=2e-5,
        excess_standard_error=1e-6,
        sensitivity=silent,
        checks=(BROKEN,),
    )
    assert found.cause is Cause.WORLD
    assert ("none of it was identified" in found.sentence) == said


@pytest.mark.parametrize(
    ("excess", "sensitivity", "arrived"),
    [
        (0.056, FAR, False),  # another basin
        (0.003, FAR, False),
        (0.001, FAR, True),
        (0.016, BASE, True),  # errors cost more where classes overlap
        (0.018, BASE, False),
        (0.075, LAPLACE, True),  # most of it is the optimum's own
        (0.3, LAPLACE, False),
    ],
)
def test_another_start_is_called_for_by_the_loss_alone(
    excess: float, sensitivity: Sensitivity, arrived: bool
) -> None:
    assert has_arrived(excess, sensitivity) == arrived


@pytest.mark.parametrize("value", [1.5, float("nan")])
def test_impossible_scores_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="r2 must be"):
        explain_gap(r2=value, ceiling_r2=1.0)
    with pytest.raises(InputError, match="ceiling_r2 must be"):
        explain_gap(r2=0.5, ceiling_r2=value)
