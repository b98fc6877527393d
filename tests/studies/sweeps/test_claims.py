"""A claim of the paper is a function of the rows: said where it holds, and where it does not."""

from typing import Any

import pytest
from tests.studies.sweeps.test_summary import record, row

from identikit.core.errors import InputError
from identikit.core.finding import Finding, Verdict
from identikit.studies.catalogue import sweep_named
from identikit.studies.sweeps.claims import claim_finding
from identikit.studies.sweeps.records import FailedRun
from identikit.studies.sweeps.summary import RowSummary, summarise
from identikit.studies.sweeps.sweep import Claim, Sweep

PAIRS = (("DIET: a", "DIET: b"), ("DIET: c", "DIET: d"))


def line(label: str, recovered: float, ceiling: float, **changes: Any) -> RowSummary:
    got = record(0, recovered, ceiling_r2=ceiling, ceiling_r2_head=ceiling, **changes)
    return summarise(row(got, label=label, beside=(("norm", 10 * recovered),)))


def told(
    *rows: tuple[float, float], alike: bool = False, lower: str = "latents", higher: str = "latents"
) -> Finding:
    """Of two pairs, (recovered, ceiling) of a, b, c and d."""
    lines = [line(name, *values) for name, values in zip("abcd", rows, strict=True)]
    claim = Claim(words="so it is", pairs=PAIRS, alike=alike, lower=lower, higher=higher)
    return claim_finding(claim, lines)


FULL = (1.0, 1.0)


@pytest.mark.parametrize(
    ("rows", "words", "verdict"),
    [
        (  # both in runs and in ceilings
            ((0.8, 0.8), FULL, (0.7, 0.7), FULL),
            "Holds: in 2 of 2 pairs, by 0.250 on average. The ceilings say the same (in 2 of 2",
            Verdict.AS_PREDICTED,
        ),
        (  # in runs alone
            ((0.8, 1.0), FULL, (0.7, 1.0), FULL),
            "Holds: in 2 of 2 pairs, by 0.250 on average. The ceilings do not, or less: training",
            Verdict.MORE,
        ),
        (  # in ceilings alone
            ((1.0, 0.8), FULL, (1.0, 0.7), FULL),
            "Does not hold: in 0 of 2 pairs, the reverse in 0, by 0.000 on average. The ceilings "
            "say so more",
            Verdict.LESS,
        ),
        (  # in one pair, and not against it in the other
            ((0.8, 0.8), FULL, FULL, FULL),
            "Holds: in 1 of 2 pairs, the reverse in 0, by 0.100 on average.",
            Verdict.AS_PREDICTED,
        ),
        (  # in one pair, and the reverse in the other
            ((0.8, 0.8), FULL, FULL, (0.9, 0.9)),
            "Holds in part: in 1 of 2 pairs, the reverse in 1, by 0.050 on average.",
            Verdict.AS_PREDICTED,
        ),
        (  # the reverse in both
            (FULL, (0.9, 0.9), FULL, (0.9, 0.9)),
            "Does not hold: in 0 of 2 pairs, the reverse in 2, by −0.100 on average.",
            Verdict.AS_PREDICTED,
        ),
    ],
)
def test_an_order_of_rows(rows: Any, words: str, verdict: Verdict) -> None:
    finding = told(*rows)
    assert finding.explained.startswith(words)
    assert finding.verdict is verdict
    assert finding.quantity == "The paper: so it is"


@pytest.mark.parametrize(
    ("lost", "word"),
    [((0.01, 0.0), "Holds:"), ((0.01, 0.1), "Holds in part:"), ((0.1, 0.1), "Does not hold:")],
)
def test_rows_that_should_be_alike(lost: tuple[float, float], word: str) -> None:
    rows = ((1 - lost[0], 0.9), FULL, (1 - lost[1], 0.9), FULL)
    finding = told(*rows, alike=True)
    assert finding.explained.startswith(word)
    assert ("training is what" in finding.explained) == (word != "Does not hold:")


def test_two_quantities_and_what_stands_beside_a_row() -> None:
    lines = [line(name, 0.8, 0.8, r2_head=0.99) for name in "abcd"]
    easier = Claim(words="rows are easier", pairs=PAIRS, higher="head")
    assert claim_finding(easier, lines).recovered == pytest.approx(0.19)
    finding = told((0.1, 1.0), FULL, (0.2, 1.0), FULL, lower="norm", higher="norm")
    assert finding.recovered == pytest.approx(8.5)
    assert (finding.predicted, finding.verdict) == (None, Verdict.MEASURED)
    assert "ceilings" not in finding.explained


def test_a_claim_about_rows_that_have_not_run_is_undecided() -> None:
    nothing = summarise(row(FailedRun(seed=0, error="no memory"), label="b"))
    lines = [line("a", 1.0, 1.0), nothing]
    finding = claim_finding(Claim(words="so it is", pairs=PAIRS[:1]), lines)
    assert (finding.recovered, finding.verdict) == (None, Verdict.UNDECIDED)


def test_a_claim_about_no_row_is_refused() -> None:
    sweep = sweep_named("table3")
    claim = Claim(words="so it is", pairs=(("supervised: base", "supervised: bass"),))
    with pytest.raises(InputError, match="about no row: supervised: bass"):
        Sweep(
            name="own",
            title=sweep.title,
            question=sweep.question,
            prediction=sweep.prediction,
            rows=sweep.rows,
            claims=(claim,),
        )
