"""What a cell says, and what all of them say together: findings from the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from identikit.core.estimate import Estimate, format_number
from identikit.core.finding import (
    Control,
    Finding,
    Headline,
    Verdict,
    judge_prediction,
    listed,
)
from identikit.report.shown import Said
from identikit.statistics.repetitions import mean_interval
from identikit.theory.assumptions import AssumptionCheck
from identikit.theory.explain import CEILING_MARGIN
from identikit.theory.promises import UpTo
from identikit.training.fit import Record

MEASURES = {
    UpTo.ROTATION: "Procrustes R²",
    UpTo.AFFINE: "affine R²",
    UpTo.COMPONENTS: "MCC after componentwise maps",
}
"""The score that forgives what a promise leaves open."""
NAMES = {
    "supervised": "supervised",
    "diet": "DIET",
    "tcl": "TCL",
    "gcl": "GCL",
    "infonce": "InfoNCE",
    "vicreg": "VICReg",
    "sigreg": "SIGReg",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CellResult(Said):
    """One objective trained once on one world."""

    status: Literal["completed", "interrupted"]
    up_to: UpTo
    """What the objective's theory leaves open."""
    dim: int
    """Dimensions of h: as many as its optimum needs."""
    assumptions: tuple[AssumptionCheck, ...]
    predicted: float | None
    """Score at the objective's own optimum; None where nothing is known of that."""
    recovered: Estimate
    """The same score after training, held out."""
    affine_r2: Estimate
    procrustes_r2: Estimate
    mcc: Estimate
    """Before componentwise maps."""
    mcc_mapped: Estimate
    """After them."""
    identity_r2: float
    """Affine R² of the observations themselves."""
    excess: float | None
    """Loss above that of the objective's own optimum; None where that is unknown."""
    unavoidable: float | None
    """Of the excess of InfoNCE, what no h of this width avoids with negatives without number."""
    inverse_temperature: float | None
    """That InfoNCE learned."""
    seconds: float
    """Of training."""
    history: tuple[Record, ...]
    """Loss and excess over the steps of training."""

    @property
    def finding(self) -> Finding:
        """Of the latents, without saying of which world and objective."""
        return _finding("latents from h", (self,))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The latents alone."""
        return (self.finding,)

    @property
    def headline(self) -> Headline:
        """The finding in a sentence."""
        found = self.finding
        word = str(found.verdict)
        return Headline(
            sentence=f"{found.measure} {format_number(self.recovered.value)}. {found.explained}",
            word=word[0].upper() + word[1:],
            tone=found.verdict.tone,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """What the matrix keeps of a cell."""

    world: str
    objective: str
    seed: int
    path: str
    """Of its run, relative to where the matrix stands."""
    result: CellResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCell:
    """A cell that could not be made."""

    world: str
    objective: str
    seed: int
    error: str
    """Why, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry of the matrix: the cells of one world and objective, over seeds."""

    world: str
    objective: str
    records: tuple[CellRecord, ...]

    @property
    def results(self) -> tuple[CellResult, ...]:
        """Of each seed."""
        return tuple(record.result for record in self.records)

    @property
    def finding(self) -> Finding:
        """Predicted, recovered, explained."""
        return _finding(f"{self.world}: {NAMES[self.objective]}", self.results)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GenealogyResult(Said):
    """The matrix: its cells, and what they say together."""

    status: Literal["completed", "incomplete"]
    failed: int
    """Cells that could not be made."""
    found: int
    """Cells that had been made before."""
    cells: tuple[CellRecord | FailedCell, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """Row by row of the matrix."""
        made = [cell for cell in self.cells if isinstance(cell, CellRecord)]
        keys = dict.fromkeys((cell.world, cell.objective) for cell in made)
        return tuple(
            Line(
                world=world,
                objective=objective,
                records=tuple(c for c in made if (c.world, c.objective) == (world, objective)),
            )
            for world, objective in keys
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One for each world and objective."""
        return tuple(line.finding for line in self.lines)

    @property
    def headline(self) -> Headline:
        """How many of those of which theory says a value are there, and which are not."""
        told = [finding for finding in self.findings if finding.predicted is not None]
        if not told:
            sentence = "Theory gives no value for any of these cells, and nothing is claimed."
            return Headline(sentence=sentence, word="Measured", tone="neutral")
        off = [f.quantity for f in told if f.verdict is not Verdict.AS_PREDICTED]
        share = f"All {len(told)}" if not off else f"{len(told) - len(off)} of {len(told)}"
        sentence = f"{share} cells of which theory gives a value are within {CEILING_MARGIN} of it"
        sentence += f"; not so: {listed(off)}." if off else "."
        if not off:
            return Headline(sentence=sentence, word="As predicted", tone="good")
        most = 2 * len(off) <= len(told)
        return Headline(
            sentence=sentence,
            word="As predicted in part" if most else "Not as predicted",
            tone="warning" if most else "bad",
        )


def _finding(quantity: str, results: Sequence[CellResult]) -> Finding:
    first = results[0]
    predicted = mean_of([result.predicted for result in results])
    value = fmean(result.recovered.value for result in results)
    if any(result.status == "interrupted" for result in results):
        verdict = Verdict.UNDECIDED
    elif predicted is None:
        verdict = Verdict.MEASURED
    else:
        verdict = judge_prediction(value, predicted, close=abs(value - predicted) <= CEILING_MARGIN)
    several = [result.recovered.value for result in results]
    return Finding(
        quantity=quantity,
        measure=MEASURES[first.up_to],
        predicted=predicted,
        recovered=first.recovered if len(results) == 1 else mean_interval(several, largest=1.0),
        controls=(
            Control(
                name="x itself (affine R²)",
                recovered=fmean(result.identity_r2 for result in results),
            ),
        ),
        explained=_explained(first, predicted) + _loss_words(results),
        verdict=verdict,
    )


def _explained(result: CellResult, predicted: float | None) -> str:
    """What is promised and whether its assumptions hold."""
    failing = [check for check in result.assumptions if not check.holds]
    if not failing:
        return f"The assumptions hold: the latents are promised up to {result.up_to}."
    why = "; ".join(f"not so that {check.name} ({check.detail})" for check in failing)
    left = (
        "nothing is known of the optimum"
        if predicted is None
        else "what is left was computed at the objective's own optimum"
    )
    return f"No promise up to {result.up_to}: {why}; {left}."


def _loss_words(results: Sequence[CellResult]) -> str:
    excess = mean_of([result.excess for result in results])
    if excess is None:
        return ""
    unavoidable = mean_of([result.unavoidable for result in results])
    words = f" The loss is {format_number(excess)} above its optimum"
    if unavoidable is not None and unavoidable > CEILING_MARGIN / 10:
        words += f", the density ratio; about {format_number(unavoidable)} of it no h of this width"
        words += " avoids"
    return f"{words}."


def mean_of(values: Sequence[float | None]) -> float | None:
    """The mean; None where any is missing."""
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None
