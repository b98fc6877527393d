"""What a sweep says: findings on rows and claims; how many rows are where theory puts them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from identikit.core.finding import Finding, Headline, Tone, Verdict, listed
from identikit.report.shown import Said
from identikit.studies.sweeps.claims import claim_finding
from identikit.studies.sweeps.records import RowRecord
from identikit.studies.sweeps.summary import RowSummary, summarise
from identikit.studies.sweeps.sweep import Axis, Claim
from identikit.theory.explain import CEILING_MARGIN


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SweepResult(Said):
    """The rows with the numbers of their runs, and the words of the sweep."""

    status: Literal["completed", "incomplete"]
    failed: int
    """Runs without a result."""
    found: int
    """Runs that had been made before."""
    title: str
    question: str
    prediction: str
    axis: Axis | None
    claims: tuple[Claim, ...]
    seeds: tuple[int, ...]
    core_seconds: float
    """Of all runs together, but for resumed ones."""
    rows: tuple[RowRecord, ...]

    @property
    def lines(self) -> tuple[RowSummary, ...]:
        """The table, line by line."""
        return tuple(summarise(row) for row in self.rows)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """A finding per row, and one per claim of the paper's."""
        lines = self.lines
        claims = (claim_finding(claim, lines) for claim in self.claims)
        return (*(line.finding for line in lines), *claims)

    @property
    def headline(self) -> Headline:
        """How many rows are as predicted, and which are not."""
        return rows_headline(self.lines)


_OFF = {
    Verdict.LESS: "below it",
    Verdict.MORE: "above it",
    Verdict.UNDECIDED: "undecided, for want of finished runs",
}
"""Where a row may be that is not at its ceiling."""


def rows_headline(lines: Sequence[RowSummary]) -> Headline:
    """How many of the rows are as predicted, which are not, and where nothing had to be learned."""
    n, there = len(lines), sum(line.verdict is Verdict.AS_PREDICTED for line in lines)
    decided = sum(line.verdict is not Verdict.UNDECIDED for line in lines)
    share = f"All {n}" if there == n else f"{there} of {n}"
    parts = [f"{share} rows are at their ceiling, give or take {CEILING_MARGIN}"]
    near = [line for line in lines if line.near_ceiling and not line.at_ceiling]
    off = {"as near it, but without the loss of the optimum": [line.row.key for line in near]}
    for verdict, words in _OFF.items():
        off[words] = [ln.row.key for ln in lines if ln.verdict is verdict and ln not in near]
    parts += [f"{words}: {listed(names)}" for words, names in off.items() if names]
    in_x = [line.row.key for line in lines if line.as_much_in_x]
    parts += [f"the observations themselves hold as much in: {listed(in_x)}"] if in_x else []
    word, tone = _word(there=there, decided=decided, n=n)
    return Headline(
        sentence="; ".join(parts) + ".",
        word=word,
        tone="warning" if in_x and tone == "good" else tone,
    )


def _word(*, there: int, decided: int, n: int) -> tuple[str, Tone]:
    if not decided:
        return "Undecided", "neutral"
    if there == n:
        return "As predicted", "good"
    if not there:
        return "Not as predicted", "bad"
    return "As predicted in part", "warning" if 2 * there >= decided else "bad"
