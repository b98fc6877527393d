"""From the runs of a row to one line of its table: ceiling, recovered, loss, seconds, why.

The score is the one that fits the head: affine R² from h to z, or, with unit-norm features
and rows, the Procrustes R² (arXiv:2410.21869, theorem 1 and its unit-norm case).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from identikit.estimate import Spread
from identikit.theory.explain import CLOSE, Cause

Record = Mapping[str, Any]
"""What a sweep keeps of a run: seed, path, error, and the numbers of its summary."""

KEPT = (
    "status",
    "normalized",
    "r2_latents",
    "procrustes_r2_latents",
    "r2_head",
    "procrustes_r2_head",
    "ceiling_r2",
    "ceiling_procrustes_r2",
    "ceiling_r2_head",
    "bayes_loss",
    "excess_loss",
    "identity_r2",
    "isometry_error",
    "cause",
    "explanation",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSummary:
    """A line of a sweep's table; None where no run of the row has finished."""

    label: str
    group: str
    x: int | float | None
    runs: tuple[Record, ...]
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
        """Whether the mean counts as having reached the ceiling."""
        return self.gap is not None and abs(self.gap) <= CLOSE


def recovered(record: Record) -> float:
    """The recovered score of a run that fits its head."""
    return float(record["procrustes_r2_latents" if record["normalized"] else "r2_latents"])


def ceiling_of(record: Record) -> float:
    """The ceiling of `recovered`."""
    return float(record["ceiling_procrustes_r2" if record["normalized"] else "ceiling_r2"])


def median_run(records: Sequence[Record]) -> Record:
    """The run whose gap is the (lower) median."""
    ordered = sorted(records, key=lambda r: ceiling_of(r) - recovered(r))
    return ordered[(len(ordered) - 1) // 2]


def word_for(row: RowSummary) -> str:
    """The explanation in a word or two, for a table's cell."""
    if row.cause == Cause.NONE:
        return "at its ceiling"
    return f"{row.cause}, at its ceiling" if row.at_ceiling else row.cause


def summarise(row: Record) -> RowSummary:
    """One line from a row's saved records and, where there is one, its oracle run."""
    runs: Sequence[Record] = row["runs"]
    done = [run for run in runs if run.get("error") is None]
    if not done:
        return RowSummary(
            label=row["label"],
            group=row["group"],
            x=row["x"],
            runs=tuple(runs),
            cause=Cause.UNKNOWN,
            explanation=_failures(runs) or "Not run yet.",
        )
    unit = bool(done[0]["normalized"])
    heads = [run["procrustes_r2_head" if unit else "r2_head"] for run in done]
    tops = [run["ceiling_r2_head"] for run in done]
    cause, explanation = explain_row(done, row.get("oracle"))
    return RowSummary(
        label=row["label"],
        group=row["group"],
        x=row["x"],
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
        runs=tuple(runs),
    )


def explain_row(done: Sequence[Record], oracle: Record | None) -> tuple[str, str]:
    """Cause and sentence for a row, by rule: the words of its median run, and an oracle's.

    The oracle is the same encoder trained on the true latents. If even that stays below
    the ceiling, encoder and generator are to blame; if not, they are not.
    """
    gap = fmean(ceiling_of(run) - recovered(run) for run in done)
    typical = median_run(done)
    top, got = ceiling_of(typical), recovered(typical)
    if abs(gap) <= CLOSE:
        if top >= 1 - CLOSE:
            return Cause.NONE, "At its ceiling."
        return Cause.WORLD, typical["explanation"]
    words = typical["explanation"]
    if typical["normalized"] and typical["ceiling_r2"] - typical["r2_latents"] <= CLOSE:
        words = (
            f"An affine map recovers {typical['r2_latents']:.3f}, as predicted; a scaled "
            f"rotation only {got:.3f} of {top:.3f}: the map from h to z is linear but stretched."
        )
    cause = typical["cause"]
    if oracle is not None and oracle.get("error") is None:
        told = float(oracle["r2_latents"])
        if told < top - CLOSE:
            cause = Cause.WIDTH
            words += (
                f" The same encoder, trained on the true latents, gets no further than {told:.3f}: "
                "encoder and budget do not suffice to invert this generator."
            )
        else:
            words += (
                f" Trained on the true latents, the same encoder reaches {told:.3f}: encoder and "
                "generator are not in the way."
            )
    below = sum(ceiling_of(run) - recovered(run) > CLOSE for run in done)
    share = f"{below} of {len(done)} seeds stay more than {CLOSE} below. " if below else ""
    return cause, share + words


def _spread(done: Sequence[Record], name: str) -> Spread | None:
    values = [run[name] for run in done]
    return None if None in values else Spread.of(values)


def _failures(runs: Sequence[Record]) -> str:
    failed = [f"seed {run['seed']}: {run['error']}" for run in runs if run.get("error")]
    return f"Failed: {'; '.join(failed)}" if failed else ""
