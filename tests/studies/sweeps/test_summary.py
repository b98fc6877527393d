"""Lines of a sweep's table: means and spreads over seeds, and causes by rule."""

from typing import Any

import pytest

from identikit.studies.sweeps.summary import summarise, word_for
from identikit.theory.explain import Cause


def record(seed: int, r2: float, **changes: Any) -> dict[str, Any]:
    return {
        "seed": seed,
        "path": f"run-{seed}",
        "error": None,
        "core_seconds": 5.0 + seed,
        "normalized": False,
        "r2_latents": r2,
        "procrustes_r2_latents": r2 - 0.1,
        "r2_head": r2,
        "procrustes_r2_head": r2 - 0.1,
        "ceiling_r2": 1.0,
        "ceiling_procrustes_r2": 0.9,
        "ceiling_r2_head": 1.0,
        "ceiling_procrustes_r2_head": 0.95,
        "isometry_error": 0.05,
        "excess_loss": 0.01,
        "cause": "optimiser",
        "possible_causes": [],
        "at_optimum": True,
        "explanation": f"Words of seed {seed}.",
    } | changes


def row(*runs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"label": "κ = 5", "group": "DIET", "x": 5.0, "runs": runs} | more


def test_mean_and_spread_over_seeds_at_the_ceiling() -> None:
    line = summarise(row(record(0, 0.99), record(1, 0.995), record(2, 1.0)))
    assert line.latents is not None
    assert line.latents.mean == pytest.approx(0.995)
    assert line.latents.sd == pytest.approx(0.005)
    assert line.seconds is not None
    assert line.seconds.mean == pytest.approx(6)
    assert line.at_ceiling
    assert line.cause == Cause.NONE
    assert word_for(line) == "at its ceiling"


def test_unit_norm_rows_are_scored_by_procrustes() -> None:
    line = summarise(row(record(0, 0.99, normalized=True)))
    assert (line.score, line.ceiling, line.head_ceiling) == ("Procrustes R²", 0.9, 0.95)
    assert line.latents is not None
    assert line.latents.mean == pytest.approx(0.89)
    assert line.latents.sd is None
    assert line.isometry_error is not None
    assert line.isometry_error.mean == 0.05
    assert line.at_ceiling


def test_one_bad_seed_speaks_for_its_row() -> None:
    good = [record(k, 0.99, cause="none", explanation="Fine.") for k in range(4)]
    line = summarise(row(*good, record(4, 0.8)))
    assert line.gap == pytest.approx(0.048)
    assert word_for(line) == Cause.OPTIMISER
    assert line.explanation == "1 of 5 seeds stay more than 0.02 below. Words of seed 4."


def test_a_resumed_run_has_no_say_in_the_seconds() -> None:
    line = summarise(row(record(0, 0.99, core_seconds=None), record(1, 0.99)))
    assert line.seconds is not None
    assert (line.seconds.mean, line.seconds.n) == (6.0, 1)


def test_a_gap_has_the_words_of_the_median_run() -> None:
    line = summarise(row(record(0, 0.5), record(1, 0.99), record(2, 0.9), record(3, 0.7)))
    assert line.gap == pytest.approx(1 - (0.5 + 0.99 + 0.9 + 0.7) / 4)
    assert line.cause == Cause.OPTIMISER
    assert line.explanation.startswith("3 of 4 seeds stay more than 0.02 below.")
    assert "Words of seed 3." in line.explanation


@pytest.mark.parametrize(("told", "cause"), [(0.7, Cause.ENCODER), (0.995, Cause.OPTIMISER)])
def test_an_oracle_tells_the_encoder_from_the_loss(told: float, cause: Cause) -> None:
    line = summarise(row(record(0, 0.6), oracle=record(0, told)))
    assert line.cause == cause
    assert f"{told:.3f}" in line.explanation


@pytest.mark.parametrize(
    ("possible", "cause"),
    [
        (["optimiser", "encoder"], Cause.OPTIMISER),
        (["flat loss", "basin", "optimiser", "encoder"], Cause.UNDECIDED),
    ],
)
def test_an_oracle_that_gets_there_decides_between_two(possible: list[str], cause: Cause) -> None:
    two = record(0, 0.6, cause="undecided", possible_causes=possible)
    assert summarise(row(two, oracle=record(0, 0.995))).cause == cause


def test_a_stretched_but_linear_map_is_told_apart() -> None:
    stretched = record(
        0,
        0.99,
        normalized=True,
        ceiling_procrustes_r2=1.0,
        procrustes_r2_latents=0.8,
        cause="none",  # the run's own words are about the affine map
    )
    line = summarise(row(stretched))
    assert "linear but stretched" in line.explanation
    assert word_for(line) == line.cause == Cause.OPTIMISER


def test_a_low_ceiling_is_the_worlds_doing() -> None:
    line = summarise(row(record(0, 0.85, ceiling_r2=0.86, cause="world")))
    assert line.cause == Cause.WORLD
    assert word_for(line) == "world, at its ceiling"
    passing = record(0, 0.85, ceiling_r2=0.86, at_optimum=False, cause="undecided")
    line = summarise(row(passing))
    assert not line.at_ceiling
    assert (word_for(line), line.explanation) == ("undecided", "Words of seed 0.")


def test_failed_runs_say_why_and_the_others_count() -> None:
    failed = {"seed": 1, "path": None, "error": "the loss is nan", "core_seconds": 0.0}
    line = summarise(row(record(0, 0.99), failed))
    assert line.latents is not None
    assert line.latents.n == 1
    assert "seed 1: the loss is nan" in line.explanation
    nothing = summarise(row(failed))
    assert nothing.latents is None
    assert nothing.explanation == "Failed: seed 1: the loss is nan"
    assert not nothing.at_ceiling
