"""Lines of a sweep's table: means and spreads over seeds, and causes by rule."""

from dataclasses import replace
from typing import Any

import pytest

from identikit.core.finding import Verdict
from identikit.studies.sweeps.records import FailedRun, Record, RowRecord, RunRecord
from identikit.studies.sweeps.result import rows_headline
from identikit.studies.sweeps.summary import RowSummary, summarise, word_for
from identikit.studies.sweeps.sweep import Printed, Published
from identikit.theory.cases import Case
from identikit.theory.explain import Cause


def record(seed: int, r2: float, **changes: Any) -> RunRecord:
    made = RunRecord(
        seed=seed,
        path=f"run-{seed}",
        core_seconds=5.0 + seed,
        case=Case.C4,
        r2_latents=r2,
        linear_r2_latents=r2 - 0.05,
        procrustes_r2_latents=r2 - 0.1,
        r2_head=r2,
        linear_r2_head=r2 - 0.05,
        procrustes_r2_head=r2 - 0.1,
        ceiling_r2=1.0,
        ceiling_linear_r2=0.95,
        ceiling_procrustes_r2=0.9,
        ceiling_r2_head=1.0,
        ceiling_linear_r2_head=0.97,
        ceiling_procrustes_r2_head=0.95,
        identity_r2=0.3,
        error_of_h=0.05,
        error_of_rows=0.02,
        excess_loss=0.01,
        cause=Cause.OPTIMISER,
        possible_causes=(),
        at_optimum=True,
        explanation=f"Words of seed {seed}.",
        starts=1,
        observations=1024,
        head_rows_tied=False,
    )
    return replace(made, **changes)


def row(
    *runs: Record,
    oracle: Record | None = None,
    label: str = "κ = 5",
    paper: Published | None = None,
    beside: tuple[tuple[str, float], ...] = (),
) -> RowRecord:
    return RowRecord(
        label=label,
        group="DIET",
        x=5.0,
        runs=runs,
        oracle=oracle,
        untied=None,
        paper=paper,
        beside=beside,
    )


def test_mean_and_spread_over_seeds_at_the_ceiling() -> None:
    line = summarise(row(record(0, 0.99), record(1, 0.995), record(2, 1.0)))
    assert line.latents is not None
    assert line.latents.mean == pytest.approx(0.995)
    assert line.latents.sd == pytest.approx(0.005)
    assert line.seconds is not None
    assert line.seconds.mean == pytest.approx(6)
    assert line.over_seeds is not None  # t with two degrees of freedom: 4.303 sd / sqrt 3
    assert line.over_seeds.low == pytest.approx(0.995 - 4.3027 * 0.005 / 3**0.5, abs=1e-6)
    assert line.over_seeds.high == 1
    assert line.at_ceiling
    assert line.cause == Cause.NONE
    assert word_for(line) == "at its ceiling"


@pytest.mark.parametrize(
    ("case", "score", "ceiling", "head_ceiling", "latents"),
    [
        (Case.C1, "Procrustes R²", 0.9, 0.95, 0.89),
        (Case.C2, "Procrustes R²", 0.9, 0.95, 0.89),
        (Case.C3, "linear R²", 0.95, 0.97, 0.94),
        (Case.C4, "affine R²", 1.0, 1.0, 0.99),
    ],
)
def test_each_case_has_its_own_score(
    case: Case, score: str, ceiling: float, head_ceiling: float, latents: float
) -> None:
    line = summarise(row(record(0, 0.99, case=case)))
    assert (line.score, line.ceiling, line.head_ceiling) == (score, ceiling, head_ceiling)
    assert line.latents is not None
    assert line.latents.mean == pytest.approx(latents)
    assert line.latents.sd is None
    assert line.over_seeds is None
    assert line.at_ceiling
    assert (line.identity is None) == (case is not Case.C4)
    errors = [None if e is None else e.mean for e in (line.error_of_h, line.error_of_rows)]
    assert errors == ([None, None] if case is Case.C4 else [0.05, 0.02])
    assert (line.rotation is None) == (case is not Case.C3)


def test_one_bad_seed_speaks_for_its_row() -> None:
    good = [record(k, 0.99, cause=Cause.NONE, explanation="Fine.") for k in range(4)]
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
        ((Cause.OPTIMISER, Cause.ENCODER), Cause.OPTIMISER),
        (tuple(map(Cause, ("flat loss", "basin", "optimiser", "encoder"))), Cause.UNDECIDED),
    ],
)
def test_an_oracle_that_gets_there_decides_between_two(
    possible: tuple[Cause, ...], cause: Cause
) -> None:
    two = record(0, 0.6, cause=Cause.UNDECIDED, possible_causes=possible)
    assert summarise(row(two, oracle=record(0, 0.995))).cause == cause


def test_a_stretched_but_linear_map_is_told_apart() -> None:
    stretched = record(
        0,
        0.99,
        case=Case.C1,
        ceiling_procrustes_r2=1.0,
        procrustes_r2_latents=0.8,
        cause=Cause.NONE,  # the run's own words are about the affine map
    )
    line = summarise(row(stretched))
    assert "linear but stretched" in line.explanation
    assert word_for(line) == line.cause == Cause.OPTIMISER


def test_a_low_ceiling_is_the_worlds_doing() -> None:
    line = summarise(row(record(0, 0.85, ceiling_r2=0.86, cause=Cause.WORLD)))
    assert line.cause == Cause.WORLD
    assert word_for(line) == "world, at its ceiling"
    passing = record(0, 0.85, ceiling_r2=0.86, at_optimum=False, cause=Cause.UNDECIDED)
    line = summarise(row(passing))
    assert not line.at_ceiling
    assert (word_for(line), line.explanation) == ("undecided", "Words of seed 0.")


def test_failed_runs_say_why_and_the_others_count() -> None:
    failed = FailedRun(seed=1, error="the loss is nan")
    line = summarise(row(record(0, 0.99), failed))
    assert line.latents is not None
    assert line.latents.n == 1
    assert "seed 1: the loss is nan" in line.explanation
    nothing = summarise(row(failed))
    assert nothing.latents is None
    assert nothing.explanation == "Failed: seed 1: the loss is nan"
    assert not nothing.at_ceiling


def test_a_score_that_one_run_lacks_is_not_averaged() -> None:
    line = summarise(row(record(0, 0.99), record(1, 0.99, r2_head=None, ceiling_r2_head=None)))
    assert (line.head, line.head_ceiling) == (None, None)


IN_X = "The observations themselves hold as much"


@pytest.mark.parametrize(
    ("identities", "as_much"),
    [
        ([0.3, 0.31], False),
        ([0.99, 0.99], True),
        ([0.5, 0.99], True),  # the mean is above, but not clearly
        ([0.985], False),  # a single run has no interval
        ([0.99], True),
    ],
)
def test_what_the_observations_hold_needs_no_learning(
    identities: list[float], as_much: bool
) -> None:
    runs = [record(k, 0.99, identity_r2=x) for k, x in enumerate(identities)]
    line = summarise(row(*runs))
    assert (IN_X in line.finding.explained) == as_much
    headline = rows_headline([line])
    assert ("observations" in headline.sentence) == as_much
    assert headline.tone == ("warning" if as_much else "good")
    assert headline.word == "As predicted"


def test_another_score_has_no_such_control() -> None:
    finding = summarise(row(record(0, 0.99, case=Case.C1, identity_r2=1.0))).finding
    assert finding.controls == ()
    assert IN_X not in finding.explained


def line_of(kind: str, k: int) -> RowSummary:
    runs: dict[str, Record] = {
        "=": record(0, 0.99),
        "<": record(0, 0.5),
        ">": record(0, 0.99, ceiling_r2=0.8),
        "~": record(0, 0.79, ceiling_r2=0.8, at_optimum=False),
        "?": FailedRun(seed=0, error="no memory"),
    }
    return summarise(row(runs[kind], label=f"r{k}"))


@pytest.mark.parametrize(
    ("kinds", "word", "tone", "sentence"),
    [
        ("==", "As predicted", "good", "All 2 rows are at their ceiling, give or take 0.02."),
        (
            "=<>",
            "As predicted in part",
            "bad",
            "1 of 3 rows are at their ceiling, give or take 0.02; below it: DIET: r1; above it: "
            "DIET: r2.",
        ),
        (
            "=~",
            "As predicted in part",
            "warning",
            "1 of 2 rows are at their ceiling, give or take 0.02; as near it, but without the loss "
            "of the optimum: DIET: r1.",
        ),
        (
            "=?",
            "As predicted in part",
            "warning",
            "1 of 2 rows are at their ceiling, give or take 0.02; undecided, for want of finished "
            "runs: DIET: r1.",
        ),
        (
            "<",
            "Not as predicted",
            "bad",
            "0 of 1 rows are at their ceiling, give or take 0.02; below it: DIET: r0.",
        ),
        (
            "?",
            "Undecided",
            "neutral",
            "0 of 1 rows are at their ceiling, give or take 0.02; undecided, for want of finished "
            "runs: DIET: r0.",
        ),
    ],
)
def test_the_headline_counts_verdicts(kinds: str, word: str, tone: str, sentence: str) -> None:
    headline = rows_headline([line_of(kind, k) for k, kind in enumerate(kinds)])
    assert (headline.word, headline.tone, headline.sentence) == (word, tone, sentence)


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("=", Verdict.AS_PREDICTED),
        ("<", Verdict.LESS),
        (">", Verdict.MORE),
        ("?", Verdict.UNDECIDED),
    ],
)
def test_a_row_has_the_verdict_of_its_mean(kind: str, verdict: Verdict) -> None:
    assert line_of(kind, 0).finding.verdict is verdict


@pytest.mark.parametrize(
    ("printed", "ceiling", "words"),
    [
        (Printed(0.852, 0.01), 0.85, "reports 0.852 ± 0.01, which is the ceiling of this world"),
        (Printed(0.45, 0.06), 1.0, "reports 0.450 ± 0.06, 0.550 below what the world allows."),
        (Printed(0.99), 1.0, "The paper reports 0.990."),
        (Printed(0.9), 0.85, "The paper reports 0.900."),  # above it, so not kept there
    ],
)
def test_the_papers_value_stands_beside_the_ceiling(
    printed: Printed, ceiling: float, words: str
) -> None:
    line = summarise(row(record(0, ceiling, ceiling_r2=ceiling), paper=Published(latents=printed)))
    assert line.finding.explained.endswith(words) or f"{words}: as much" in line.finding.explained
    assert "The paper" not in summarise(row(record(0, 0.9))).finding.explained


def test_runs_that_began_again_are_counted() -> None:
    line = summarise(row(record(0, 0.99), record(1, 0.99, starts=3)))
    assert "1 of 2 runs began training again" in line.finding.explained
    assert "began" not in summarise(row(record(0, 0.99))).finding.explained
