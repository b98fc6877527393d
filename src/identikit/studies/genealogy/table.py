"""The matrix: a cell for every world, objective and seed, found or made, collected."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from identikit.runs.jobs import Job, JobOutcome
from identikit.runs.lookup import study_of
from identikit.runs.store import Run
from identikit.runs.study import Arrays, Context
from identikit.runs.table import run_table
from identikit.studies.genealogy.config import CELL, RENDERED, GenealogyCellConfig, GenealogyConfig
from identikit.studies.genealogy.result import CellRecord, CellResult, FailedCell, GenealogyResult

SECONDS_PER_STEP = 4e-3
"""Roughly, of one core."""
SLOWER = {"infonce": 2.0, "sigreg": 3.0}
"""Objectives that take so many times as long."""
SLOWER_ON_IMAGES = 7.0


def compute(config: GenealogyConfig, context: Context) -> tuple[GenealogyResult, Arrays]:
    """Make whatever cell is not yet there, and collect.

    Args:
        config: Which cells.
        context: Its root is the folder of the cells, where those made before are found; told of
            a `TableProgress` at the start and after every cell.
    """
    jobs = jobs_of(config.cells)
    return collected(jobs, run_table(jobs, context), context.draft.target.parent), {}


def jobs_of(cells: Iterable[GenealogyCellConfig]) -> dict[str, Job]:
    """A job for every cell, by its label."""
    return {
        cell.label: Job(
            key=cell.label,
            command=CELL,
            config=cell,
            cost=2
            + cell.steps
            * SECONDS_PER_STEP
            * SLOWER.get(cell.objective, 1)
            * (SLOWER_ON_IMAGES if cell.world in RENDERED else 1),
        )
        for cell in cells
    }


def collected(
    jobs: Mapping[str, Job], outcomes: Mapping[str, JobOutcome], beside: Path
) -> GenealogyResult:
    """The matrix of what became of the jobs.

    Args:
        jobs: As `jobs_of` made them.
        outcomes: Of these, and of others.
        beside: Where the matrix stands.
    """
    cells = tuple(_record(job.config, outcomes[key], beside) for key, job in jobs.items())
    failed = sum(isinstance(cell, FailedCell) for cell in cells)
    return GenealogyResult(
        status="incomplete" if failed else "completed",
        failed=failed,
        found=sum(outcomes[key].found for key in jobs),
        cells=cells,
    )


def _record(
    config: GenealogyCellConfig, outcome: JobOutcome, beside: Path
) -> CellRecord | FailedCell:
    place = {"world": config.world, "objective": config.objective}
    if outcome.run is None:
        return FailedCell(**place, seed=config.seed, error=outcome.error or "")
    result: CellResult = study_of(CELL).read(Run.load(outcome.run))
    path = os.path.relpath(outcome.run, beside)
    return CellRecord(**place, seed=config.seed, path=path, result=result)
