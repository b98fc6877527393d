"""From the runs of a row to one line of its table: ceiling, recovered, loss, seconds, why.

The score is the one that fits the head's case of theorem 1 (arXiv:2410.21869): the paper's own with
free features, R² of an affine map (C4) or of one without a constant (C3, unit-norm rows), and that
of a scaled rotation with unit-norm features (C1, C2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from identikit.core.estimate import Estimate, Spread, fixed, with_ends
from identikit.core.finding import Control, Finding, Verdict, judge_prediction
from identikit.statistics.repetitions import mean_interval
from identikit.studies.sweeps.records import RowRecord, RunRecord
from identikit.studies.sweeps.sweep import Printed
from identikit.theory.cases import Case
from identikit.theory.explain import CEILING_MARGIN, Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSummary:
    """A line of a sweep's table; None where no run of the row has finished."""

    row: RowRecord
    cause: Cause
    explanation: str
    score: str = "R²"
    """What `ceiling` and `latents` are: affine, linear or Procrustes R²."""
    ceiling: float | None = None
    latents: Spread | None = None
    head_ceiling: float | None = None
    head: Spread | None = None
    """The same score from head rows to cluster vectors; None for too few classes."""
    rotation: Spread | None = None
    """R² of the latents by a scaled rotation, where that is not the score; unit norm only."""
    error_of_h: Spread | None = None
    """Mean absolute error of the singular values of the map to h; unit norm only."""
    error_of_rows: Spread | None = None
    """The same of the map to head rows."""
    excess: Spread | None = None
    """Loss above the Bayes loss, in nats."""
    observations: Spread | None = None
    """Labelled ones that a run drew, those to find labels that look alike among them."""
    seconds: Spread | None = None
    """Of one core for a whole run: prediction, training, scores."""

    @property
    def over_seeds(self) -> Estimate | None:
        """The mean recovered with its 95 % interval over seeds; None for a single one.

        Student's t; `latents` has the spread of single seeds.
        """
        recovered = [run.recovered for run in self.row.done]
        return mean_interval(recovered, largest=1.0) if len(recovered) > 1 else None

    @property
    def gap(self) -> float | None:
        """How far the mean stays below the ceiling."""
        if self.latents is None or self.ceiling is None:
            return None
        return self.ceiling - self.latents.mean

    @property
    def near_ceiling(self) -> bool:
        """Whether the mean is within `CEILING_MARGIN` of the ceiling, whatever the loss."""
        return self.gap is not None and abs(self.gap) <= CEILING_MARGIN

    @property
    def at_ceiling(self) -> bool:
        """Whether the mean counts as having reached the ceiling: in loss as well as in R²."""
        return self.cause in (Cause.NONE, Cause.WORLD) and self.near_ceiling

    @property
    def verdict(self) -> Verdict:
        """On the mean over the seeds."""
        if self.latents is None or self.ceiling is None:
            return Verdict.UNDECIDED
        return judge_prediction(self.latents.mean, self.ceiling, close=self.at_ceiling)

    @property
    def identity(self) -> Control | None:
        """The latents from the observations by an affine map; not beside another score."""
        done = self.row.done
        if not done or done[0].case is not Case.C4:
            return None
        leads = [run.r2_latents - run.identity_r2 for run in done]
        return Control(
            name="x itself",
            recovered=Spread.of([run.identity_r2 for run in done]),
            lead=mean_interval(leads) if len(leads) > 1 else None,
        )

    @property
    def as_much_in_x(self) -> bool:
        """Whether the observations themselves hold as much, so that nothing had to be learned."""
        beside = self.identity
        if beside is None or self.latents is None:
            return False
        if beside.lead is not None:
            return beside.lead.low <= 0
        return self.latents.mean <= with_ends(beside.recovered)[0]

    def _paper(self, paper: Printed) -> str:
        """What the paper reports, and where that stands to the ceiling."""
        words = f"The paper reports {paper}"
        if self.ceiling is None:
            return f"{words}."
        below = self.ceiling - paper.mean
        if below > CEILING_MARGIN:
            return f"{words}, {fixed(below, 3)} below what the world allows."
        if self.ceiling < 1 - CEILING_MARGIN and below >= -CEILING_MARGIN:
            return (
                f"{words}, which is the ceiling of this world: as much as cross-entropy identifies."
            )
        return f"{words}."

    @property
    def finding(self) -> Finding:
        """The row as it is read."""
        words = self.explanation
        if self.as_much_in_x:
            words += " The observations themselves hold as much: nothing here had to be learned."
        if any(run.head_rows_tied for run in self.row.done):
            words += " Head rows of labels that look alike were tied: their likeness is built in."
        again = sum(run.starts > 1 for run in self.row.done)
        if again:
            words += (
                f" {again} of {len(self.row.done)} runs began training again, told by the loss."
            )
        if self.row.paper is not None:
            words += f" {self._paper(self.row.paper.latents)}"
        return Finding(
            quantity=self.row.key,
            measure="" if self.latents is None else self.score,
            predicted=self.ceiling,
            recovered=self.latents,
            controls=() if self.identity is None else (self.identity,),
            explained=words,
            verdict=self.verdict,
        )


def typical_run(runs: Sequence[RunRecord]) -> RunRecord:
    """The run that speaks for its row: of (lower) median gap among those off their ceiling."""
    off = [run for run in runs if abs(run.gap) > CEILING_MARGIN] or runs
    return sorted(off, key=lambda run: run.gap)[(len(off) - 1) // 2]


def word_for(line: RowSummary) -> str:
    """The explanation in a word or two, for a table's cell."""
    if not line.at_ceiling:
        return line.cause
    return "at its ceiling" if line.cause == Cause.NONE else f"{line.cause}, at its ceiling"


def summarise(row: RowRecord) -> RowSummary:
    """One line from a row's records and, where there is one, its oracle run."""
    done = row.done
    failures = _failures(row)
    if not done:
        return RowSummary(row=row, cause=Cause.UNKNOWN, explanation=failures or "Not run yet.")
    unit = done[0].case is not Case.C4
    tops = [run.head_ceiling for run in done if run.head_ceiling is not None]
    heads = [run.head for run in done if run.head is not None]
    cause, explanation = explain_row(row)
    return RowSummary(
        row=row,
        score=done[0].score,
        ceiling=fmean(run.ceiling for run in done),
        latents=Spread.of([run.recovered for run in done]),
        head_ceiling=fmean(tops) if len(tops) == len(done) else None,
        head=Spread.of(heads) if len(heads) == len(done) else None,
        rotation=Spread.of([run.procrustes_r2_latents for run in done])
        if done[0].case is Case.C3
        else None,
        error_of_h=_spread([run.error_of_h for run in done]) if unit else None,
        error_of_rows=_spread([run.error_of_rows for run in done]) if unit else None,
        excess=_spread([run.excess_loss for run in done]),
        observations=_spread([float(run.observations) for run in done]),
        seconds=_spread([run.core_seconds for run in done]),
        cause=cause,
        explanation=" ".join(filter(None, (explanation, failures))),
    )


def explain_row(row: RowRecord) -> tuple[Cause, str]:
    """Cause and sentence for a row with a finished run, by rule: its typical run's, an oracle's.

    R² at a ceiling below 1 is the world's doing only if the loss is as good as the optimum's.
    The oracle is the same encoder trained on the true latents. If even that stays below
    the ceiling, the encoder cannot undo the generator in its budget; if not, it can.
    """
    done = row.done
    gap = fmean(run.gap for run in done)
    typical = typical_run(done)
    top, got = typical.ceiling, typical.recovered
    if abs(gap) <= CEILING_MARGIN and top >= 1 - CEILING_MARGIN:
        return Cause.NONE, "At its ceiling."
    if abs(gap) <= CEILING_MARGIN and typical.at_optimum:
        return Cause.WORLD, (
            f"Recovered {fixed(got, 3)}, as much as cross-entropy identifies in this world "
            "(ceiling "
            f"{fixed(top, 3)})."
        )
    cause, words = typical.cause, typical.explanation
    affine = abs(typical.ceiling_r2 - typical.r2_latents) <= CEILING_MARGIN
    if typical.case.unit_features and affine and abs(typical.gap) > CEILING_MARGIN:
        cause = Cause.OPTIMISER
        words = (
            f"An affine map recovers {fixed(typical.r2_latents, 3)}, as predicted; a scaled "
            f"rotation {fixed(got, 3)} of {fixed(top, 3)}: the map from h to z is linear but "
            "stretched."
        )
    if isinstance(row.oracle, RunRecord):
        told = row.oracle.r2_latents
        if told < top - CEILING_MARGIN:
            cause = Cause.ENCODER
            words += (
                f" The same encoder, trained on the true latents, gets no further than "
                f"{fixed(told, 3)}: "
                "its width and budget do not suffice to undo this generator."
            )
        else:
            words += (
                f" Trained on the true latents, the same encoder reaches {fixed(told, 3)}: "
                "encoder and "
                "generator are not in the way."
            )
            if set(typical.possible_causes) == {Cause.OPTIMISER, Cause.ENCODER}:
                cause = Cause.OPTIMISER
    below = sum(run.gap > CEILING_MARGIN for run in done)
    share = f"{below} of {len(done)} seeds stay more than {CEILING_MARGIN} below. " if below else ""
    return cause, share + words


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread.of(known) if known else None


def _failures(row: RowRecord) -> str:
    failed = [f"seed {run.seed}: {run.error}" for run in row.failed]
    return f"Failed: {'; '.join(failed)}" if failed else ""
