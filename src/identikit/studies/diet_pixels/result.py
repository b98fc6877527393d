"""What one training says, and what all of them say together: findings from the numbers.

Scores of seeds are means with Student's intervals. Seeds differ in weights, batches and in the
quarter that is held out; what is compared is paired, seed by seed, on the same quarter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from identikit.core.estimate import Estimate, format_number
from identikit.core.finding import (
    Control,
    Finding,
    Headline,
    Verdict,
    beside_controls,
    judge_factor,
    judge_interval,
    listed,
)
from identikit.report.shown import Said
from identikit.statistics.repetitions import mean_interval, over_seeds
from identikit.studies.diet_pixels.config import CONDITIONS, PHOTOGRAPHS, REFERENCE
from identikit.studies.genealogy.result import GenealogyResult
from identikit.theory.explain import CEILING_MARGIN
from identikit.training.fit import Record

H = "h"
"""The features that are asked about; the others are their controls."""
COMPARED = (
    ("DIET, augmented", "DIET"),
    ("DIET", "supervised by category"),
    ("DIET", "supervised by object"),
)
"""What is held against what."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PhotographsResult(Said):
    """What is in one encoder, or in features that were given."""

    status: Literal["completed", "interrupted"]
    scores: dict[str, dict[str, float]]
    """Of h and its controls, of each factor, on the images held out; empty before the end."""
    measures: dict[str, str]
    """What the scores are, by factor."""
    chances: dict[str, float]
    """What guessing reaches, by factor."""
    history: tuple[Record, ...]
    """Loss over the steps of training."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One for each factor; a single training has no interval over seeds."""
        if not self.scores:
            return ()
        return tuple(
            Finding(
                quantity=name,
                measure=measure,
                recovered=self.scores[H][name],
                chance=self.chances[name],
                controls=tuple(
                    Control(name=control, recovered=found[name])
                    for control, found in self.scores.items()
                    if control != H
                ),
                explained="Of one seed, on images that neither encoder nor linear probe has seen.",
                verdict=Verdict.MEASURED,
            )
            for name, measure in self.measures.items()
        )

    @property
    def headline(self) -> Headline:
        """The scores, and that nothing is claimed of one seed."""
        if not self.scores:
            return Headline(sentence="Training goes on.", word="Stopped early", tone="warning")
        found = listed(
            [f"{f.label} {format_number(self.scores[H][f.quantity])}" for f in self.findings]
        )
        return Headline(sentence=f"{found}.", word="Measured", tone="neutral")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotographsRecord:
    """What is kept of a training."""

    data: str
    held_out: str
    condition: str
    seed: int
    path: str
    """Of its run, relative to where the table stands."""
    result: PhotographsResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTraining:
    """A training that could not be made."""

    label: str
    error: str
    """Why, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The trainings of one condition on one set, with one kind of images held out, over seeds."""

    data: str
    held_out: str
    condition: str
    records: tuple[PhotographsRecord, ...]
    """In the order of their seeds."""

    @property
    def place(self) -> str:
        """Set and what is held out."""
        return f"{PHOTOGRAPHS[self.data]}, new {self.held_out}"

    @property
    def factors(self) -> tuple[str, ...]:
        """What is read out."""
        return tuple(self.records[0].result.measures)

    def values(self, factor: str, features: str = H) -> list[float]:
        """Scores by seed."""
        return [record.result.scores[features][factor] for record in self.records]

    def score(self, factor: str, features: str = H) -> Estimate | float:
        """The mean over seeds with its interval; of one seed its value."""
        return over_seeds(self.values(factor, features), largest=1.0)

    @property
    def controls(self) -> tuple[str, ...]:
        """Features that need no training."""
        return tuple(name for name in self.records[0].result.scores if name != H)

    def finding(self, factor: str) -> Finding:
        """Predicted, recovered, explained."""
        first, recovered = self.records[0].result, self.score(factor)
        controls = tuple(
            Control(
                name=name,
                recovered=self.score(factor, name),
                lead=difference(self.values(factor), self.values(factor, name)),
            )
            for name in self.controls
        )
        predicted = 1.0 if self.held_out == "views" and self._taught(factor) else None
        verdict, stands = Verdict.UNDECIDED, "one seed has no interval"
        if isinstance(recovered, Estimate):
            chance = first.chances[factor]
            verdict = judge_factor(recovered, chance=chance, controls=controls)
            stands = beside_controls(recovered, controls)
            if verdict is Verdict.NOT_SHOWN:
                stands = f"{stands}, and the interval over seeds reaches chance"
            if predicted is not None:
                verdict = judge_interval(recovered, predicted, within=CEILING_MARGIN)
        return Finding(
            quantity=f"{self.place}: {factor}. {self.condition}",
            measure=first.measures[factor],
            predicted=predicted,
            recovered=recovered,
            chance=first.chances[factor],
            controls=controls,
            explained=f"{self._asked(factor)}: {stands}.",
            verdict=verdict,
        )

    def _taught(self, factor: str) -> bool:
        condition = CONDITIONS.get(self.condition)
        taught = None if condition is None else condition.classes
        return taught is not None and factor in (taught, *(["category"] * (taught == "object")))

    def _asked(self, factor: str) -> str:
        """What the loss asks of a factor."""
        if (self.data, self.held_out, factor) == ("coil20", "objects", "azimuth"):
            return (
                "Every object counts its azimuth from a front of its own, so that no one map fits"
            )
        if self.condition == REFERENCE:
            return "Taught other images' classes"
        if self._taught(factor):
            return "What the loss asks for"
        if CONDITIONS[self.condition].objective == "diet":
            return "The loss asks that images differ, along no line that theory names"
        return "The loss asks nothing of it"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DietPixelsResult(Said):
    """Every training, and what they say together."""

    status: Literal["completed", "incomplete"]
    failed: int
    """Trainings that could not be made."""
    found: int
    """Trainings that had been made before."""
    worlds: GenealogyResult
    """Of rendered images."""
    photographs: tuple[PhotographsRecord | FailedTraining, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """Of photographs, in the order in which they were asked for."""
        made = [record for record in self.photographs if isinstance(record, PhotographsRecord)]
        keys = dict.fromkeys((r.data, r.held_out, r.condition) for r in made)
        return tuple(
            Line(
                data=data,
                held_out=held_out,
                condition=condition,
                records=tuple(
                    sorted(
                        (r for r in made if (r.data, r.held_out, r.condition) == key),
                        key=lambda record: record.seed,
                    )
                ),
            )
            for key in keys
            for data, held_out, condition in (key,)
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of rendered worlds, of photographs, and what differs between conditions."""
        return (
            *self.worlds.findings,
            *(line.finding(factor) for line in self.lines for factor in line.factors),
            *self.differences,
        )

    @property
    def differences(self) -> tuple[Finding, ...]:
        """Of each factor, one condition less another, where both have the same seeds."""
        lines = {(line.place, line.condition): line for line in self.lines}
        places = dict.fromkeys(line.place for line in self.lines)
        return tuple(
            found
            for place in places
            for one, other in COMPARED
            if (place, one) in lines and (place, other) in lines
            for factor in lines[place, one].factors
            if (found := _difference(lines[place, one], lines[place, other], factor)) is not None
        )

    @property
    def headline(self) -> Headline:
        """Which factors DIET finds, and whether rendered worlds are as predicted."""
        asked: dict[str, list[Verdict]] = {}
        for line in self.lines:
            if line.condition.startswith("DIET"):
                for factor in line.factors:
                    verdict = line.finding(factor).verdict
                    asked.setdefault(f"{line.place}: {factor}", []).append(verdict)
        told = {n: v for n, v in asked.items() if set(v) != {Verdict.UNDECIDED}}
        learned = [name for name, verdicts in told.items() if Verdict.LEARNED in verdicts]
        parts = []
        if told:
            which = f" ({'; '.join(learned)})" if learned else ""
            parts.append(
                f"Of photographs DIET finds {len(learned)} of {len(told)} factors clearly above "
                f"pixels and untrained network, with or without augmentation{which}."
            )
        elif asked:
            parts.append("Of photographs nothing is claimed: one seed has no interval.")
        if self.worlds.lines:
            parts.append(f"Of rendered worlds: {self.worlds.headline.sentence}")
        sentence = " ".join(parts) or "Nothing was made."
        if not told:  # as the rendered worlds say
            word, tone = self.worlds.headline.word, self.worlds.headline.tone
            return Headline(sentence=sentence, word=word, tone=tone)
        if not learned:
            return Headline(sentence=sentence, word="Not found", tone="bad")
        whole = len(learned) == len(told)
        return Headline(
            sentence=sentence,
            word="Found" if whole else "Found in part",
            tone="good" if whole else "warning",
        )


def difference(values: Sequence[float], others: Sequence[float]) -> Estimate | None:
    """Mean difference over seeds with its interval, paired; None for one seed."""
    if len(values) < 2:
        return None
    return mean_interval([a - b for a, b in zip(values, others, strict=True)])


def _difference(one: Line, other: Line, factor: str) -> Finding | None:
    """One condition less another; None where seeds are others, or too few."""
    if [r.seed for r in one.records] != [r.seed for r in other.records]:
        return None
    lead = difference(one.values(factor), other.values(factor))
    if lead is None:
        return None
    measure = one.records[0].result.measures[factor]
    if lead.low > 0:
        words = f"{one.condition} has clearly more of it."
    elif lead.high < 0:
        words = f"{one.condition} has clearly less of it."
        if one.condition == "DIET, augmented" and factor == "azimuth":
            words += " An image and its mirror image share a label, and show opposite sides."
    else:
        words = f"No difference that {len(one.records)} seeds show."
    return Finding(
        quantity=f"{one.place}: {factor}. {one.condition}, less {other.condition}",
        measure=f"difference of {measure}",
        recovered=lead,
        explained=words,
        verdict=Verdict.MEASURED,
    )
