"""What a simulation says: predicted from the world alone, recovered after training, explained."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from identikit.core.estimate import Estimate, format_number
from identikit.core.finding import Control, Finding, Headline, Tone, Verdict, judge_prediction
from identikit.probing.cases import CaseScores
from identikit.probing.recovery import Recovery
from identikit.report.shown import Said, Shown
from identikit.studies.simulation.cases import case_findings
from identikit.theory.assumptions import DIVERSE, AssumptionCheck
from identikit.theory.bayes import BayesLoss
from identikit.theory.cases import Case, Promise
from identikit.theory.explain import Cause, Variation
from identikit.theory.recovery_ceiling import Ceiling
from identikit.theory.sensitivity import Sensitivity

if TYPE_CHECKING:
    import pandas as pd

    from identikit.report.style import Figure

CLOSE_TO_CEILING = 0.02
"""R² within which a score beside the first counts as having reached its prediction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What theory says of a world before anything is trained."""

    bayes: BayesLoss
    ceiling: Ceiling
    assumptions: tuple[AssumptionCheck, ...]
    sensitivity: Sensitivity


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What an explanation is made of, beside the prediction."""

    r2: float
    """Affine R² of the latents from h."""
    r2_row_space: float | None
    """The same from the part of h in the head's row space; None where that is all of h."""
    excess: float | None
    """Loss above the Bayes loss in nats; an oracle has none."""
    excess_standard_error: float
    row_noise: float
    """What of the excess goes when each label has its class's mean row."""
    rank: int
    """Directions in which h varies."""
    dim: int
    """Dimensions of h."""
    samples: int
    """That fitted the linear probe."""
    seen: float | None
    """How often each label was drawn; None where training was not watched."""
    interrupted: bool

    @property
    def r2_guaranteed(self) -> float:
        """Of the part of h that theory speaks of."""
        return self.r2 if self.r2_row_space is None else self.r2_row_space

    @property
    def excess_of_h(self) -> float | None:
        """The excess without the noise of single rows."""
        return None if self.excess is None else self.excess - self.row_noise


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Evaluation(Shown):
    """What an encoder and a head recovered of a world, by the names that a script asks for."""

    n_labels: int
    classes: int
    case: Case
    """Of theorem 1: which of features and rows have unit norm."""
    promise: Promise
    """What that fixes of the maps; nothing, where an assumption does not hold."""
    maps: CaseScores | None
    """What was measured of them; None for an oracle, or where no map is fixed."""
    covered_rank: int | None
    """Dimensions of h inside the head's row space; an oracle has no head."""
    r2_latents: float
    procrustes_r2_latents: float
    mcc_latents: float
    r2_head: float | None
    """None without a head, or with too few classes to fix a map."""
    procrustes_r2_head: float | None
    ceiling_r2: float
    """Affine R² of the latents at the optimum; an oracle's knows no world."""
    ceiling_r2_head: float | None
    bayes_loss: float
    excess_loss: float | None
    """Loss above the Bayes loss in nats, on fresh samples; an oracle has none."""
    excess_standard_error: float | None
    identity_r2: float
    """Of the latents from the observations themselves."""
    head_rows_tied: bool
    """Whether labels that look alike shared their rows, so that equal rows are built in."""
    untied_command: str | None
    """Makes the run whose labels have rows of their own throughout, where these were tied."""
    cause: Cause
    possible_causes: tuple[Cause, ...]
    """What is still possible where the cause is not decided."""
    next_command: str | None
    """What would decide it."""
    at_optimum: bool | None
    """Whether the excess loss is that of the optimum, as far as can be told; None if unknown."""
    explanation: str
    prediction: Prediction
    recovery: Recovery
    measured: Measured
    """What the explanation is made of, beside the prediction."""

    def plot(self) -> "Figure":
        """Bars of the latents, the observations themselves beside them."""
        return self.recovery.plot()

    def to_frame(self) -> "pd.DataFrame":
        """One row per latent and features."""
        return self.recovery.to_frame()

    @property
    def verdict(self) -> Verdict:
        """On the latents: what the cause of the gap, if there is one, makes of it."""
        if self.cause is Cause.INTERRUPTED:
            return Verdict.UNDECIDED
        close = self.cause is Cause.NONE or (
            self.cause is Cause.WORLD
            and self.at_optimum is not False
            and self.r2_latents <= self.ceiling_r2 + CLOSE_TO_CEILING
        )
        return judge_prediction(self.r2_latents, self.ceiling_r2, close=close)

    @property
    def headline(self) -> Headline:
        """The explanation, with the two numbers in front where it does not give them itself."""
        sentence = self.explanation
        if self.cause not in (Cause.NONE, Cause.WORLD):
            got, most = (format_number(r2) for r2 in (self.r2_latents, self.ceiling_r2))
            sentence = f"R² {got} was recovered, {most} was predicted. {sentence}"
        if not self._above_x:
            sentence += (
                f" The observations themselves hold as much (R² {format_number(self.identity_r2)}),"
                " so nothing here had to be learned."
            )
        word = str(self.verdict)
        return Headline(sentence=sentence, word=word[0].upper() + word[1:], tone=self._tone)

    @property
    def _above_x(self) -> bool:
        assert self.recovery.latents is not None
        return self.recovery.latents.affine.mean.low > self.identity_r2

    @property
    def _tone(self) -> Tone:
        if self.verdict is Verdict.LESS and self.r2_latents < 0.5 * self.ceiling_r2:
            return "bad"
        if self.verdict.tone == "good" and not self._above_x:
            return "warning"
        return self.verdict.tone

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The latents first, then by a rotation, the head, the loss and its dimensions."""
        latents, head = self.recovery.latents, self.recovery.head
        assert latents is not None
        found = [
            Finding(
                quantity="Latents from h",
                measure="affine R²",
                predicted=self.ceiling_r2,
                recovered=latents.affine.mean,
                controls=(Control(name="x itself", recovered=self.identity_r2),),
                explained=self.explanation,
                verdict=self.verdict,
                decide=self.next_command,
            )
        ]
        ceiling = self.prediction.ceiling
        if self.case is not Case.C4:
            found.append(
                self._beside(
                    "Latents from h by a scaled rotation",
                    "Procrustes R²",
                    ceiling.procrustes_r2 if self.rotates else None,
                    latents.procrustes.mean,
                    f"With {self.case.words} theory leaves only a scaled rotation, where its "
                    "assumptions hold.",
                )
            )
        if head is not None and not self.case.unit_features:
            found.append(
                self._beside(
                    "Latents from h by a linear map",
                    "R² without a constant",
                    ceiling.linear_r2,
                    latents.linear.mean,
                    "Free features are a linear image of the latents, and no constant is needed, "
                    "where the assumptions hold.",
                )
            )
        if head is not None and self.r2_head is not None:
            copies = (
                "."
                if self.n_labels == head.n_train + head.n_test
                else ": rows of one class are copies of one vector."
            )
            found.append(
                self._beside(
                    "Cluster vectors from head rows",
                    "affine R²",
                    self.prediction.ceiling.r2_head,
                    head.affine.mean,
                    f"Scored on classes that did not fit the map{copies}{self._built_in}",
                    decide=self.untied_command,
                )
            )
        if self.maps is not None:
            found += case_findings(
                self.case,
                self.maps,
                self.promise,
                stopped=self.verdict is Verdict.UNDECIDED,
                built_in=self._built_in,
            )
        if self.excess_loss is not None:
            found.append(self._loss(self.excess_loss))
        if self.covered_rank is not None:
            found.append(self._dimensions(self.covered_rank))
        return tuple(found)

    @property
    def rotates(self) -> bool:
        """Whether unit norm leaves only a scaled rotation; in C3 of diverse data alone."""
        diverse = all(check.holds for check in self.prediction.assumptions if check.name == DIVERSE)
        return self.case is not Case.C4 and diverse

    @property
    def _built_in(self) -> str:
        return (
            " Labels that look alike shared rows at first, so their likeness is built in."
            if self.head_rows_tied
            else ""
        )

    def _beside(
        self,
        quantity: str,
        measure: str,
        predicted: float | None,
        got: Estimate,
        explained: str,
        *,
        decide: str | None = None,
    ) -> Finding:
        if self.verdict is Verdict.UNDECIDED:
            verdict = Verdict.UNDECIDED
        elif predicted is None:
            verdict = Verdict.MEASURED
        else:
            close = abs(got.value - predicted) <= CLOSE_TO_CEILING
            verdict = judge_prediction(got.value, predicted, close=close)
        return Finding(
            quantity=quantity,
            measure=measure,
            predicted=predicted,
            recovered=got,
            explained=explained,
            verdict=verdict,
            decide=decide,
        )

    def _loss(self, excess: float) -> Finding:
        floor = round(self.prediction.ceiling.excess, 6)
        return Finding(
            quantity="Loss",
            measure="nats",
            predicted=self.bayes_loss + floor,
            recovered=self.bayes_loss + excess,
            explained=f"The Bayes loss, {format_number(self.bayes_loss)}, is what the true "
            f"posterior costs; the run is {format_number(excess)} above it"
            + (f", {format_number(floor)} of which no h of this width avoids." if floor else "."),
            verdict=Verdict.MEASURED
            if self.verdict is Verdict.UNDECIDED
            else judge_prediction(
                excess, floor, close=self.verdict is Verdict.AS_PREDICTED or excess <= floor
            ),
        )

    def _dimensions(self, rank: int) -> Finding:
        dims = min(self.recovery.dim, self.classes - 1)
        return Finding(
            quantity="Dimensions of h in the head row space",
            predicted=dims,
            recovered=rank,
            explained="The head sees h only through the differences of its rows, and the best "
            "rows of one class are equal: at most one dimension fewer than there are classes.",
            verdict=judge_prediction(rank, dims, close=rank == dims),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedStart:
    """One start of a training: what it came to, and what it took."""

    excess: float | None
    """In nats, without the noise of single rows; an oracle has none."""
    steps: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SimulationResult(Evaluation):
    """The numbers of a finished simulation: what came out, and how it was trained."""

    status: Literal["completed", "interrupted"]
    starts: tuple[TrainedStart, ...]
    """More than one where the loss of an earlier one did not end at the optimum's; the one of least
    excess was evaluated, and steps, seconds, observations and history are those of all."""
    label_groups: int | None
    """Groups of labels that shared a row at first; None if none were looked for."""
    label_separation: float | None
    label_statement: str | None
    observations: int
    """That training drew with their labels, and that were drawn to find labels that look alike."""
    steps: int
    seconds: float
    history: tuple[dict[str, int | float], ...]
    """Evaluations during training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeExperiment:
    """A run that differs from the one explained in one thing."""

    variation: Variation
    detail: str
    """What differs."""
    r2: float
    excess: float | None
    """In nats, without the noise of single rows; an oracle has none."""
    command: str
    run: str
    """Its folder, beside that of the diagnosis."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DiagnosisResult(Said):
    """A simulation with the cause that experiments single out."""

    status: Literal["completed", "interrupted"]
    simulation: SimulationResult
    """The run that is explained; the explanation is that of the experiments."""
    experiments: tuple[MadeExperiment, ...]
    left_out: tuple[str, ...]
    """Commands of experiments for which the budget was too small."""

    @property
    def headline(self) -> Headline:
        """That of the simulation."""
        return self.simulation.headline

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the simulation."""
        return self.simulation.findings
