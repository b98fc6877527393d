"""What `analogies` returns: of each factor or concept, in each layer, whether its step is one step.

Frozen, made of plain numbers and strings only, so that it goes to JSON and back unchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from identikit.core.estimate import Estimate
from identikit.core.finding import (
    Control,
    Finding,
    Headline,
    Verdict,
    beside_controls,
    factor_headline,
    judge_factor,
)
from identikit.core.serialization import Plain
from identikit.report.figures import FactorBar, Figure, LayerCurve, factor_bars, layer_curves
from identikit.report.shown import Shown

MEASURE = "additivity"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalogyScore:
    """One factor's, or concept's, analogies in one set of vectors."""

    name: str
    layer: str = ""
    """Of several; empty where there is one."""
    product: str = ""
    """causal, for the causal inner product; empty for the Euclidean one."""
    pairs: int
    """Pairs, or pairs of pairs for factors."""
    missing: int = 0
    """Pairs, or questions, that were left out since a word has no vector."""
    additivity: Estimate
    """How nearly all steps are one: 1 is one step, 0 is chance."""
    cosine: Estimate | None = None
    """Mean cosine of two of the differences, whatever their lengths."""
    projection: Estimate | None = None
    """Mean cosine of each difference with the sum of the others."""
    random_cosine: Estimate | None = None
    """Mean cosine of differences of as many random pairs of rows."""
    questions: int
    """a : b = c : ? that were asked."""
    offset: Estimate
    """Share of questions that b - a + c finds, a, b and c excluded."""
    offset_with_inputs: Estimate
    """The same, nothing excluded."""
    near_c: Estimate
    """Share that the nearest neighbour of c alone finds, a, b and c excluded."""
    near_b: Estimate
    """The same of b."""
    controls: Mapping[str, Estimate] = field(default_factory=dict)
    """Additivity of other vectors of the same rows."""
    above: Mapping[str, Estimate] = field(default_factory=dict)
    """Additivity less that, paired."""

    @property
    def quantity(self) -> str:
        """The name, with the inner product where it is not the usual one."""
        return f"{self.name}, {self.product} product" if self.product else self.name


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Analogies(Shown, Plain):
    """Whether a change of one factor is one step, whatever else is seen."""

    scores: tuple[AnalogyScore, ...]
    """Layer by layer in the order of computation."""
    grid: bool
    """Whether they are of factors, whose other levels are known; else of pairs of words."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of each factor or concept; of several layers in the last, then in each, its place."""
        every = tuple(self._finding(score) for score in self.scores)
        if not every[0].place:
            return every
        last = [finding for finding in every if finding.place == every[-1].place]
        return (
            *(
                replace(f, place="", explained=f"In {f.place}, the last layer, {f.explained}")
                for f in last
            ),
            *every,
        )

    def _finding(self, score: AnalogyScore) -> Finding:
        controls = tuple(
            Control(name=name, recovered=found, lead=score.above[name])
            for name, found in score.controls.items()
        )
        verdict = judge_factor(score.additivity, chance=0.0, controls=controls)
        shown = controls
        if score.random_cosine is not None:
            shown = (Control(name="random pairs", recovered=score.random_cosine), *controls)
        return Finding(
            quantity=score.quantity,
            measure=MEASURE,
            predicted=1.0 if self.grid else None,
            recovered=score.additivity,
            chance=0.0,
            controls=shown,
            explained=self._explained(score, verdict, controls),
            verdict=verdict,
            place=score.layer,
        )

    def _explained(
        self, score: AnalogyScore, verdict: Verdict, controls: tuple[Control, ...]
    ) -> str:
        if verdict is Verdict.NOT_SHOWN:
            words = ["the interval reaches chance"]
        elif controls:
            words = [beside_controls(score.additivity, controls)]
        else:
            words = ["above chance"]
        baseline = max(score.near_b, score.near_c, key=lambda found: found.value)
        words.append(
            f"offset finds {score.offset} of {score.questions:,} fourths, its inputs excluded "
            f"({score.offset_with_inputs} with them), a nearest neighbour alone {baseline}"
        )
        if score.cosine is not None:
            words.append(
                f"cosine of differences {score.cosine}, of random pairs {score.random_cosine}, "
                f"each on the others {score.projection}"
            )
        if score.missing:
            words.append(f"{score.missing:,} left out, whose words have no vector")
        theory = (
            "An exact affine image of the factors, which linear identifiability promises at the "
            "optimum, scores 1."
            if self.grid
            else "Linear identifiability implies nothing here: what else differs between the words "
            "of a pair is not known."
        )
        return f"{'; '.join(words)}. {theory}"

    @property
    def headline(self) -> Headline:
        """What the findings say together, of several layers those of the last."""
        said = [finding for finding in self.findings if not finding.place]
        where = f"In {self.scores[-1].layer}, the last layer, as" if self.scores[-1].layer else "As"
        head = factor_headline(said)
        words = f"{where} one step: {head.sentence[:1].lower()}{head.sentence[1:]}"
        return replace(head, sentence=words)

    def plot(self) -> Figure:
        """Bars of additivity; of several layers a curve for each factor or concept."""
        by_quantity: dict[str, list[AnalogyScore]] = {}
        for score in self.scores:
            by_quantity.setdefault(score.quantity, []).append(score)
        if not self.scores[0].layer:
            bars = [
                FactorBar(name=s.quantity, estimate=s.additivity, chance=0.0, controls=s.controls)
                for s in self.scores
            ]
            return factor_bars(bars, score=MEASURE)
        return layer_curves(
            [
                LayerCurve(
                    name=name,
                    measure=MEASURE,
                    values=[score.additivity for score in scores],
                    chance=0.0,
                    controls={
                        control: [score.controls.get(control) for score in scores]
                        for control in dict.fromkeys(c for s in scores for c in s.controls)
                    },
                )
                for name, scores in by_quantity.items()
            ],
            layers=list(dict.fromkeys(score.layer for score in self.scores)),
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per factor or concept, layer and inner product."""
        rows = [
            {
                **({"layer": score.layer} if score.layer else {}),
                "of": score.name,
                **({} if self.grid else {"inner product": score.product or "Euclidean"}),
                "pairs": score.pairs,
                MEASURE: score.additivity,
                **{f"{MEASURE} of {name}": found for name, found in score.controls.items()},
                **(
                    {}
                    if score.cosine is None
                    else {
                        "cosine": score.cosine,
                        "cosine of random pairs": score.random_cosine,
                        "each on the others": score.projection,
                    }
                ),
                "questions": score.questions,
                "offset": score.offset,
                "offset, inputs among answers": score.offset_with_inputs,
                "nearest to c": score.near_c,
                "nearest to b": score.near_b,
            }
            for score in self.scores
        ]
        return pd.DataFrame(rows, dtype=object)
