"""Whether what the paper's text says of rows is so of ours, and whether theory says it too.

A claim is about pairs of rows. A pair bears it out where what should be higher is so by more than
the margin within which ceilings count as reached; the ceilings of the same pairs are asked the
same, which tells what the world does from what training does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from identikit.core.estimate import fixed
from identikit.core.finding import Finding, Verdict, judge_prediction
from identikit.studies.sweeps.summary import RowSummary
from identikit.studies.sweeps.sweep import Claim
from identikit.theory.explain import CEILING_MARGIN

Value = Callable[[RowSummary, str], float | None]


@dataclass(frozen=True, slots=True)
class _Tally:
    """How pairs stand to a claim."""

    differences: tuple[float, ...]
    """Of each pair, what should be higher less what should be lower."""
    alike: bool

    @property
    def mean(self) -> float:
        return fmean(self.differences)

    @property
    def borne_out(self) -> int:
        return sum(
            abs(d) <= CEILING_MARGIN if self.alike else d > CEILING_MARGIN for d in self.differences
        )

    @property
    def reversed(self) -> int:
        """Pairs that say the opposite; none says it of a claim that two are alike."""
        return 0 if self.alike else sum(d < -CEILING_MARGIN for d in self.differences)

    @property
    def word(self) -> str:
        n = len(self.differences)
        if self.borne_out == n or (self.borne_out and not self.alike and not self.reversed):
            return "holds"
        return "holds in part" if self.borne_out else "does not hold"

    @property
    def words(self) -> str:
        n, said = len(self.differences), f"in {self.borne_out} of {len(self.differences)} pairs"
        if not self.alike and self.borne_out < n:
            said += f", the reverse in {self.reversed}"
        return f"{said}, by {fixed(self.mean, 3)} on average"


def claim_finding(claim: Claim, lines: Sequence[RowSummary]) -> Finding:
    """A claim of the paper, held against the rows of a sweep and against their ceilings."""
    known = {line.row.key: line for line in lines}
    got = _tally(claim, known, _recovered)
    quantity = f"The paper: {claim.words}"
    if got is None:
        return Finding(
            quantity=quantity,
            recovered=None,
            explained="Not told yet, for want of finished runs.",
            verdict=Verdict.UNDECIDED,
        )
    top = _tally(claim, known, _predicted)
    words = f"{got.word.capitalize()}: {got.words}."
    if top is not None:
        words += f" {_why(got, top)} ({top.words})."
    return Finding(
        quantity=quantity,
        measure="difference",
        predicted=None if top is None else top.mean,
        recovered=got.mean,
        explained=f"{words} {claim.reason}".strip(),
        verdict=Verdict.MEASURED
        if top is None
        else judge_prediction(got.mean, top.mean, close=abs(got.mean - top.mean) <= CEILING_MARGIN),
    )


def _why(got: _Tally, top: _Tally) -> str:
    if got.word == top.word:
        return "The ceilings say the same"
    if got.borne_out > top.borne_out:
        return "The ceilings do not, or less: training is what makes the difference"
    return "The ceilings say so more: what theory predicts has not shown in training"


def _tally(claim: Claim, known: Mapping[str, RowSummary], value: Value) -> _Tally | None:
    differences = []
    for low, high in claim.pairs:
        lower, higher = value(known[low], claim.lower), value(known[high], claim.higher)
        if lower is not None and higher is not None:
            differences.append(higher - lower)
    return _Tally(tuple(differences), claim.alike) if differences else None


def _recovered(line: RowSummary, quantity: str) -> float | None:
    scores = {"latents": line.latents, "head": line.head}
    if quantity in scores:
        score = scores[quantity]
        return None if score is None else score.mean
    return dict(line.row.beside)[quantity]


def _predicted(line: RowSummary, quantity: str) -> float | None:
    return {"latents": line.ceiling, "head": line.head_ceiling}.get(quantity)
