"""A study that is made of other runs: all of them found or made, as its context asks for it."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from identikit.runs.jobs import Job, JobOutcome, Tell, run_jobs, seconds_left
from identikit.runs.study import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProgress:
    """How far a table is."""

    done: int
    total: int
    """Cells, made or not."""
    seconds_left: float | None
    """None until something was made, not found."""
    words: str
    """Of the cell that was just finished."""


def run_all(jobs: Iterable[Job], context: Context, *, on_outcome: Tell) -> None:
    """Find or make runs below the context's root, by its executor, and pass on their warnings.

    Args:
        jobs: Runs that are wanted.
        context: Of the study that is made of them.
        on_outcome: Told of each as soon as it is known.
    """

    def tell(outcome: JobOutcome) -> None:
        on_outcome(outcome)
        for words in outcome.warnings:
            context.warn(words)

    run_jobs(
        list(jobs),
        root=context.root,
        open_executor=context.open_executor,
        on_outcome=tell,
        restart=context.restart,
    )


def run_table(jobs: Mapping[str, Job], context: Context) -> dict[str, JobOutcome]:
    """What became of every cell, by its key.

    Args:
        jobs: The cells, by their keys.
        context: Told of a `TableProgress` at the start and after every cell.
    """
    outcomes: dict[str, JobOutcome] = {}
    started = time.monotonic()

    def tell(words: str) -> None:
        context.tell(
            TableProgress(
                done=len(outcomes),
                total=len(jobs),
                seconds_left=seconds_left(jobs, outcomes, started=started),
                words=words,
            )
        )

    def collect(outcome: JobOutcome) -> None:
        outcomes[outcome.key] = outcome
        words = outcome.error or ("found" if outcome.found else "made")
        tell(f"{outcome.key}: {words}")

    tell("starting")
    run_all(jobs.values(), context, on_outcome=collect)
    return outcomes
