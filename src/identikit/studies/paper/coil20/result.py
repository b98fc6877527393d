"""The scores of a COIL-20 run: R² = 1 - mean |(cos, sin) - prediction|², accuracy.

Over a whole turn (cos, sin) has mean 0 and mean square 1, so this is the pooled R² of both,
and exactly 0 for a linear probe that always says 0. Intervals: 2.5 to 97.5 percentile over
resamples of objects (for scores over all objects) or of 30 degree arcs (within an object),
because neighbouring azimuths are not independent. Errors are averaged over seeds first;
the seeds' own scores stand beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from identikit.core.estimate import Estimate, format_number
from identikit.core.factors import Kind
from identikit.core.finding import (
    Control,
    Finding,
    Headline,
    Verdict,
    beside_controls,
    judge_factor,
    judge_interval,
    judge_prediction,
)
from identikit.core.randomness import stream
from identikit.probing.default_measures import MEASURES
from identikit.report.shown import Said
from identikit.statistics.bootstrap import Bootstrap, Statistic
from identikit.statistics.intervals import ANY, SCORE, Ranges
from identikit.studies.paper.coil20.config import Coil20Config, Objective
from identikit.studies.paper.coil20.linear_probes import ProbePredictions
from identikit.training.fit import Record
from identikit.worlds.constants import AZIMUTHS, OBJECTS, STEP_DEG

Score = Literal["azimuth", "pooled", "object"]
CONTROLS = ("pixels", "random projection", "untrained")
LABELS: dict[str, str] = {
    "supervised": "Taught the object",
    "diet": "DIET, shifted draws",
    "diet-turned": "DIET, turned draws",
}
TURNED: Objective = "diet-turned"
"""The objective of which theory says that the azimuth stands linearly in h."""
ACCURACY_MARGIN = 0.02
"""Accuracy within which a prediction counts as met."""
BLOCK_DEG = 30
"""Least length of the arcs that are resampled within an object."""


@dataclass(slots=True, kw_only=True)
class Training:
    """How the encoders of one objective were trained."""

    labels: int = 0
    ranks: list[int] = field(default_factory=list)
    """Dimensions of h that the theorem covers, per encoder."""
    histories: list[list[Record]] = field(default_factory=list)
    """Training curve of each encoder."""

    def add(self, *, labels: int, rank: int, history: list[Record]) -> None:
        """Note one more encoder."""
        self.labels = labels
        self.ranks.append(rank)
        self.histories.append(history)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What stands linearly in one set of features, on held-out azimuths."""

    azimuth: Estimate
    """Circular R², one linear probe per object, mean over objects."""
    azimuth_by_object: tuple[Estimate, ...]
    azimuth_by_seed: tuple[float, ...]
    pooled: Estimate
    """Circular R² of one linear probe for all objects."""
    object: Estimate
    """Accuracy of naming the object, among 20."""
    within_share: float
    """Share of the features' variance that lies within objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leads:
    """Scores of one set of features less those of another, paired by object."""

    azimuth: Estimate
    pooled: Estimate
    object: Estimate


@dataclass(frozen=True, kw_only=True)
class Coil20Measured:
    """What the encoders of a run gave on every held-out view; every score follows from it."""

    config: Coil20Config
    predictions: dict[str, ProbePredictions]
    """By set of features: controls, then the objectives and their parts."""
    training: dict[str, Training]
    """By objective."""
    symmetry: Float[Tensor, " 20"]
    """R² of the azimuth that symmetry leaves to each object (a prediction, not a bound)."""
    fronts: UInt8[Tensor, "20 side side"]
    """One image per object."""
    seconds: float

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """Scores of every set of features."""
        return {name: self._score(predictions) for name, predictions in self.predictions.items()}

    def leads(self, name: str, control: str) -> Leads:
        """Scores of one set of features less those of another, paired by object."""
        ours, theirs = (self._by_object(self.predictions[each]) for each in (name, control))
        azimuth, pooled, accuracy = self._over_objects(ours - theirs, ANY)
        return Leads(azimuth=azimuth, pooled=pooled, object=accuracy)

    def symmetry_correlation(self, name: str) -> float:
        """Correlation, over objects, of the azimuth R² found with what symmetry leaves."""
        found = self._by_object(self.predictions[name])[:, 0]
        return float(torch.corrcoef(torch.stack([found, self.symmetry]))[0, 1])

    def _score(self, predictions: ProbePredictions) -> Scores:
        errors = self._squared(predictions.azimuth)
        azimuth, all_at_once, accuracy = self._over_objects(self._by_object(predictions), SCORE)
        return Scores(
            azimuth=azimuth,
            azimuth_by_object=self._over_arcs(1 - errors.mean(0).T),
            azimuth_by_seed=tuple((1 - errors.mean((1, 2))).tolist()),
            pooled=all_at_once,
            object=accuracy,
            within_share=float(predictions.within_share.mean()),
        )

    def result(self) -> "Coil20Result":
        """The scores, with every set of features beside every control and objective."""
        beside = [*CONTROLS, *self.config.objectives]
        return Coil20Result(
            objectives=self.config.objectives,
            dim=self.config.dim,
            scores=self.scores,
            leads={
                name: {
                    other: self.leads(name, other)
                    for other in (*beside, f"{name.partition(',')[0]}, random part")
                    if other != name and other in self.predictions
                }
                for name in self.predictions
            },
            symmetry=tuple(self.symmetry.tolist()),
            symmetry_correlations={
                name: self.symmetry_correlation(name) for name in beside if name in self.predictions
            },
            training=self.training,
            seconds=self.seconds,
        )

    def _by_object(self, predictions: ProbePredictions) -> Float[Tensor, "20 3"]:
        """Azimuth R², that of one linear probe for all objects, accuracy."""
        errors = self._squared(predictions.azimuth)
        pooled = self._squared(predictions.pooled).mean(0)
        named = predictions.object.view(-1, OBJECTS, AZIMUTHS) == torch.arange(OBJECTS)[:, None]
        return torch.stack(
            [1 - errors.mean((0, 2)), 1 - pooled.mean(1), named.double().mean((0, 2))], dim=1
        )

    def _squared(self, prediction: Tensor) -> Float[Tensor, "seeds 20 72"]:
        angle = (torch.arange(AZIMUTHS).double() + 1).mul(STEP_DEG).deg2rad()
        circle = torch.stack([angle.cos(), angle.sin()], dim=1)
        split = prediction.double().view(-1, OBJECTS, AZIMUTHS, 2)
        return (split - circle).square().sum(3)

    def _over_objects(self, values: Float[Tensor, "20 k"], within: Ranges) -> list[Estimate]:
        return self._means(values, torch.arange(OBJECTS), within)

    def _over_arcs(self, values: Float[Tensor, "72 k"]) -> tuple[Estimate, ...]:
        block = max(self.config.arc_degrees, BLOCK_DEG) // STEP_DEG
        return tuple(self._means(values, torch.arange(AZIMUTHS) // block, SCORE))

    def _means(
        self, values: Float[Tensor, "n k"], groups: Tensor, within: Ranges
    ) -> list[Estimate]:
        bootstrap = Bootstrap(
            groups,
            resamples=self.config.resamples,
            generator=stream(self.config.seed, "coil20/bootstrap"),
        )
        mean = Statistic(lambda w: (w @ values) / w.sum(1, keepdim=True), within)
        return bootstrap.estimates(mean)

    def arrays(self) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        """Predictions and pictures, from which every score follows."""
        found = {"fronts": self.fronts.numpy()}
        for name, r in self.predictions.items():
            for kind in _PREDICTION_FIELDS:
                found[f"{name}/{kind}"] = getattr(r, kind).numpy()
        return found


_PREDICTION_FIELDS = ("azimuth", "pooled", "object", "within_share")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Coil20Result(Said):
    """What the run says of object and azimuth."""

    status: Literal["completed"] = "completed"
    objectives: tuple[Objective, ...]
    dim: int
    """Dimensions of h."""
    scores: dict[str, Scores]
    """By set of features: controls, then the objectives and their parts."""
    leads: dict[str, dict[str, Leads]]
    """Scores of each set of features less those of another."""
    symmetry: tuple[float, ...]
    """R² of the azimuth that symmetry leaves to each object (a prediction, not a bound)."""
    symmetry_correlations: dict[str, float]
    """Over objects, of the azimuth R² found with what symmetry leaves."""
    training: dict[str, Training]
    """By objective."""
    seconds: float

    @property
    def mean_symmetry(self) -> float:
        """Over the objects."""
        return fmean(self.symmetry)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Objective by objective."""
        found: list[Finding] = []
        for objective in self.objectives:
            found += self._taught() if objective == "supervised" else [self._diet(objective)]
        return tuple(found)

    @property
    def headline(self) -> Headline:
        """On the azimuth, by the first objective: against every control."""
        first = self.objectives[0]
        scores, pixels = self.scores[first], self.scores["pixels"]
        controls = self._controls(first, "azimuth")
        verdict = judge_factor(scores.azimuth, chance=0.0, controls=controls)
        stands = _stands(verdict, scores.azimuth, controls)
        return Headline(
            sentence=f"{LABELS[first]}: on views never seen, the object can be read out linearly "
            f"in {percent(scores.object)} of them (from pixels {percent(pixels.object)}), the "
            f"azimuth {self.against(first, 'pixels')}: R² {format_number(scores.azimuth.value)} "
            f"against {format_number(pixels.azimuth.value)}. The azimuth is {verdict}: {stands}.",
            word=f"Azimuth: {verdict}",
            tone=verdict.tone,
        )

    def against(self, name: str, control: str) -> str:
        """How the azimuth R² of one set of features stands to that of another, in words."""
        gap = self.leads[name][control].azimuth
        if gap.low > 0:
            return f"better than from {control}"
        return f"worse than from {control}" if gap.high < 0 else f"about as well as from {control}"

    def gap(self, name: str, control: str) -> str:
        """The same with the difference."""
        return f"{self.against(name, control)} (difference {self.leads[name][control].azimuth})"

    def _controls(
        self, name: str, score: Score, controls: Sequence[str] = CONTROLS
    ) -> tuple[Control, ...]:
        found = []
        for control in controls:
            own = f"{name.partition(',')[0]}, {control}"  # a part of the same h
            other = own if own in self.scores else control
            found.append(
                Control(
                    name=control,
                    recovered=getattr(self.scores[other], score),
                    lead=getattr(self.leads[name][other], score),
                )
            )
        return tuple(found)

    def _factor(
        self,
        name: str,
        *,
        quantity: str,
        explained: str,
        score: Score = "azimuth",
        predicted: float | None = None,
        controls: Sequence[str] = CONTROLS,
    ) -> Finding:
        got: Estimate = getattr(self.scores[name], score)
        beside = self._controls(name, score, controls)
        verdict = judge_factor(got, chance=0.0, controls=beside)
        stands = _stands(verdict, got, beside)
        return Finding(
            quantity=quantity,
            measure=MEASURES[Kind.CIRCULAR].name,
            predicted=predicted,
            recovered=got,
            chance=0.0,
            controls=beside,
            explained=f"{stands[:1].upper()}{stands[1:]}. {explained}",
            verdict=verdict,
        )

    def _diet(self, objective: Objective) -> Finding:
        turned = objective == TURNED
        keeps = (
            f"{100 * self.scores[objective].within_share:.0f} % of the variance of h lies within "
            "objects"
        )
        explained = (
            "Draws from nearby azimuths make log p(label | view) a multiple of cos(angle to the "
            "label's view), so theory asks for cosine and sine to stand linearly in h, as far as "
            f"symmetry lets them be told. Read out {self.gap(objective, 'pixels')}. Theory speaks "
            "of the optimum and of views like those seen, not of arcs never shown."
            if turned
            else f"Images must be told apart, so the azimuth has to stay ({keeps}), but nothing "
            f"says along which lines. Read out {self.gap(objective, 'pixels')}."
        )
        return self._factor(
            objective,
            quantity=f"Azimuth of each object. {LABELS[objective]}",
            explained=explained,
            predicted=self.mean_symmetry if turned else None,
        )

    def _taught(self) -> list[Finding]:
        whole, pixels = self.scores["supervised"], self.scores["pixels"]
        beside = self._controls("supervised", "object")
        label, rank = LABELS["supervised"], fmean(self.training["supervised"].ranks)
        dims = min(OBJECTS - 1, self.dim)
        found = [
            Finding(
                quantity=f"Object. {label}",
                measure=MEASURES[Kind.CATEGORICAL].name,  # of as many images of each object
                predicted=1.0,
                recovered=whole.object,
                chance=1 / OBJECTS,
                controls=beside,
                explained="What the loss asks for: no two objects share a view. What is missing "
                f"are views far from those seen. Object: {beside_controls(whole.object, beside)}.",
                verdict=judge_interval(whole.object, 1.0, within=ACCURACY_MARGIN),
            ),
            Finding(
                quantity=f"Dimensions of h in the head row space. {label}",
                predicted=dims,
                recovered=rank,
                explained="The head sees h through the differences of its 20 rows only.",
                verdict=judge_prediction(rank, dims, close=rank == dims),
            ),
        ]
        if "supervised, head row space" in self.scores:
            found.append(
                self._factor(
                    "supervised, head row space",
                    quantity=f"Azimuth of each object, head row space of h. {label}",
                    explained="At the optimum this part depends on the object alone, so none of "
                    "the azimuth is guaranteed: what is there is inductive bias. The random part "
                    "of h is as large.",
                    controls=("random part", "untrained"),
                )
            )
        return [
            *found,
            self._factor(
                "supervised",
                quantity=f"Azimuth of each object, whole h. {label}",
                explained=f"Read out {self.gap('supervised', 'pixels')}. The loss asks to forget "
                f"the azimuth: the share of variance within objects falls from "
                f"{100 * pixels.within_share:.0f} % in pixels to {100 * whole.within_share:.0f} % "
                "in h.",
            ),
            self._factor(
                "supervised",
                score="pooled",
                quantity=f"Azimuth, one map for all objects. {label}",
                explained="Each object counts its azimuth from a front of its own; nothing makes "
                "them agree.",
            ),
        ]


def percent(estimate: Estimate) -> str:
    """A share as whole per cent."""
    return f"{100 * estimate.value:.0f} %"


def _stands(verdict: Verdict, got: Estimate, controls: Sequence[Control]) -> str:
    """What a verdict on a factor rests on."""
    if verdict is Verdict.NOT_SHOWN:
        return "the interval reaches chance"
    return beside_controls(got, controls)
