"""From the runs of a row to one line of its table: ceiling, recovered, loss, seconds, why.

The score is the one that fits the head: affine R² from h to z, or, with unit-norm features
and rows, the Procrustes R² (arXiv:2410.21869, theorem 1 and its unit-norm case).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from identikit.core.estimate import Spread
from identikit.theory.explain import CLOSE, Cause

Record = Mapping[str, Any]
"""What a sweep keeps of a run: seed, path, error, and the numbers of its summary."""

KEPT = (
    "normalized",
    "r2_latents",
    "procrustes_r2_latents",
    "r2_head",
    "procrustes_r2_head",
    "ceiling_r2",
    "ceiling_procrustes_r2",
    "ceiling_r2_head",
    "ceiling_procrustes_r2_head",
    "excess_loss",
    "isometry_error",
    "cause",
    "possible_causes",
    "at_optimum",
    "explanation",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSummary:
    """A line of a sweep's table; None where no run of the row has finished."""

    label: str
    group: str
    x: int | float | None
    runs: tuple[Record, ...]
    oracle: Record | None
    """The same encoder trained on the true latents, where the row needed explaining."""
    cause: str
    explanation: str
    score: str = "R²"
    """What `ceiling` and `latents` are: affine R² or Procrustes R²."""
    ceiling: float | None = None
    latents: Spread | None = None
    head_ceiling: float | None = None
    head: Spread | None = None
    """The same score from head rows to cluster vectors; None for too few classes."""
    isometry_error: Spread | None = None
    """How far the singular values of the map from z to h are from equal; unit norm only."""
    excess: Spread | None = None
    """Loss above the Bayes loss, in nats."""
    seconds: Spread | None = None
    """Of one core for a whole run: prediction, training, scores."""

    @property
    def gap(self) -> float | None:
        """How far the mean stays below the ceiling."""
        if self.latents is None or self.ceiling is None:
            return None
        return self.ceiling - self.latents.mean

    @property
    def at_ceiling(self) -> bool:
        """Whether the mean counts as having reached the ceiling: in loss as well as in R²."""
        arrived = self.cause in (Cause.NONE, Cause.WORLD)
        return arrived and self.gap is not None and abs(self.gap) <= CLOSE


def recovered(record: Record) -> float:
    """The recovered score of a run that fits its head."""
    return float(record["procrustes_r2_latents" if record["normalized"] else "r2_latents"])


def ceiling_of(record: Record) -> float:
    """The ceiling of `recovered`."""
    return float(record["ceiling_procrustes_r2" if record["normalized"] else "ceiling_r2"])


def gap_of(record: Record) -> float:
    """How far a run stays below its ceiling."""
    return ceiling_of(record) - recovered(record)


def typical_run(records: Sequence[Record]) -> Record:
    """The run that speaks for its row: of (lower) median gap among those off their ceiling."""
    off = [record for record in records if abs(gap_of(record)) > CLOSE] or records
    return sorted(off, key=gap_of)[(len(off) - 1) // 2]


def word_for(row: RowSummary) -> str:
    """The explanation in a word or two, for a table's cell."""
    if not row.at_ceiling:
        return row.cause
    return "at its ceiling" if row.cause == Cause.NONE else f"{row.cause}, at its ceiling"


def summarise(row: Record) -> RowSummary:
    """One line from a row's saved records and, where there is one, its oracle run."""
    runs: Sequence[Record] = row["runs"]
    done = [run for run in runs if run.get("error") is None]
    empty = RowSummary(
        label=row["label"],
        group=row["group"],
        x=row["x"],
        runs=tuple(runs),
        oracle=row.get("oracle"),
        cause=Cause.UNKNOWN,
        explanation=_failures(runs) or "Not run yet.",
    )
    if not done:
        return empty
    unit = bool(done[0]["normalized"])
    heads = [run["procrustes_r2_head" if unit else "r2_head"] for run in done]
    tops = [run["ceiling_procrustes_r2_head" if unit else "ceiling_r2_head"] for run in done]
    cause, explanation = explain_row(done, row.get("oracle"))
    return replace(
        empty,
        score="Procrustes R²" if unit else "affine R²",
        ceiling=fmean(ceiling_of(run) for run in done),
        latents=Spread.of([recovered(run) for run in done]),
        head_ceiling=None if None in tops else fmean(tops),
        head=None if None in heads else Spread.of(heads),
        isometry_error=_spread(done, "isometry_error") if unit else None,
        excess=_spread(done, "excess_loss"),
        seconds=_spread(done, "core_seconds"),
        cause=cause,
        explanation=" ".join(filter(None, (explanation, _failures(runs)))),
    )


def explain_row(done: Sequence[Record], oracle: Record | None) -> tuple[str, str]:
    """Cause and sentence for a row, by rule: the words of its typical run, and an oracle's.

    R² at a ceiling below 1 is the world's doing only if the loss is as good as the optimum's.
    The oracle is the same encoder trained on the true latents. If even that stays below
    the ceiling, the encoder cannot undo the generator in its budget; if not, it can.
    """
    gap = fmean(gap_of(run) for run in done)
    typical = typical_run(done)
    top, got = ceiling_of(typical), recovered(typical)
    if abs(gap) <= CLOSE and top >= 1 - CLOSE:
        return Cause.NONE, "At its ceiling."
    if abs(gap) <= CLOSE and typical["at_optimum"]:
        return Cause.WORLD, (
            f"Recovered {got:.3f}, as much as cross-entropy identifies in this world (ceiling "
            f"{top:.3f})."
        )
    cause, words = typical["cause"], typical["explanation"]
    affine = abs(typical["ceiling_r2"] - typical["r2_latents"]) <= CLOSE
    if typical["normalized"] and affine and abs(gap_of(typical)) > CLOSE:
        cause = Cause.OPTIMISER
        words = (
            f"An affine map recovers {typical['r2_latents']:.3f}, as predicted; a scaled "
            f"rotation {got:.3f} of {top:.3f}: the map from h to z is linear but stretched."
        )
    if oracle is not None and oracle.get("error") is None:
        told = float(oracle["r2_latents"])
        if told < top - CLOSE:
            cause = Cause.ENCODER
            words += (
                f" The same encoder, trained on the true latents, gets no further than {told:.3f}: "
                "its width and budget do not suffice to undo this generator."
            )
        else:
            words += (
                f" Trained on the true latents, the same encoder reaches {told:.3f}: encoder and "
                "generator are not in the way."
            )
            if set(typical["possible_causes"]) == {Cause.OPTIMISER, Cause.ENCODER}:
                cause = Cause.OPTIMISER
    below = sum(gap_of(run) > CLOSE for run in done)
    share = f"{below} of {len(done)} seeds stay more than {CLOSE} below. " if below else ""
    return cause, share + words


def _spread(done: Sequence[Record], name: str) -> Spread | None:
    values = [run[name] for run in done if run[name] is not None]
    return Spread.of(values) if values else None


def _failures(runs: Sequence[Record]) -> str:
    failed = [f"seed {run['seed']}: {run['error']}" for run in runs if run.get("error")]
    return f"Failed: {'; '.join(failed)}" if failed else ""
