"""The matrix: a cell for every world, objective and seed, found or made, collected."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from identikit.runs.jobs import Job, JobOutcome, run_jobs, seconds_left
from identikit.runs.lookup import study_of
from identikit.runs.store import Run
from identikit.runs.study import Arrays, Context
from identikit.studies.genealogy.config import CELL, GenealogyCellConfig, GenealogyConfig
from identikit.studies.genealogy.result import CellRecord, CellResult, FailedCell, GenealogyResult

SECONDS_PER_STEP = 4e-3
"""Roughly, of one core."""
SLOWER = {"infonce": 2.0, "sigreg": 3.0}
"""Objectives that take so many times as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenealogyProgress:
    """How far the matrix is."""

    done: int
    total: int
    """Cells, made or not."""
    seconds_left: float | None
    """None until something was made, not found."""
    words: str
    """Of the cell that was just finished."""


def compute(config: GenealogyConfig, context: Context) -> tuple[GenealogyResult, Arrays]:
    """Make whatever cell is not yet there, and collect.

    Args:
        config: Which cells.
        context: Its root is the folder of the cells, where those made before are found; told of
            a `GenealogyProgress` at the start and after every cell.
    """
    jobs = {
        cell.label: Job(
            key=cell.label,
            command=CELL,
            config=cell,
            cost=2 + cell.steps * SECONDS_PER_STEP * SLOWER.get(cell.objective, 1),
        )
        for cell in config.cells
    }
    outcomes: dict[str, JobOutcome] = {}
    started = time.monotonic()

    def tell(words: str) -> None:
        context.tell(
            GenealogyProgress(
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
    run_jobs(
        list(jobs.values()),
        root=context.root,
        open_executor=context.open_executor,
        on_outcome=collect,
    )
    beside = context.draft.target.parent
    cells = tuple(_record(job.config, outcomes[key], beside) for key, job in jobs.items())
    failed = sum(isinstance(cell, FailedCell) for cell in cells)
    result = GenealogyResult(
        status="incomplete" if failed else "completed",
        failed=failed,
        found=sum(outcome.found for outcome in outcomes.values()),
        cells=cells,
    )
    return result, {}


def _record(
    config: GenealogyCellConfig, outcome: JobOutcome, beside: Path
) -> CellRecord | FailedCell:
    place = {"world": config.world, "objective": config.objective}
    if outcome.run is None:
        return FailedCell(**place, seed=config.seed, error=outcome.error or "")
    result: CellResult = study_of(CELL).read(Run.load(outcome.run))
    path = os.path.relpath(outcome.run, beside)
    return CellRecord(**place, seed=config.seed, path=path, result=result)
