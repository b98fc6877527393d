"""The table: a cell for every world and seed, found or made, collected."""

import os
from pathlib import Path

from identikit.runs.jobs import Job, JobOutcome
from identikit.runs.lookup import study_of
from identikit.runs.store import Run
from identikit.runs.study import Arrays, Context
from identikit.runs.table import run_table
from identikit.studies.superposition.config import (
    CELL,
    SuperpositionCellConfig,
    SuperpositionConfig,
)
from identikit.studies.superposition.result import (
    CellRecord,
    CellResult,
    FailedCell,
    SuperpositionResult,
)

SECONDS, SECONDS_PER_FACTOR = 10.0, 0.4
"""Roughly, of one core."""


def compute(config: SuperpositionConfig, context: Context) -> tuple[SuperpositionResult, Arrays]:
    """Make whatever cell is not yet there, and collect.

    Args:
        config: Which cells.
        context: Its root is the folder of the cells, where those made before are found; told of
            a `TableProgress` at the start and after every cell.
    """
    jobs = {
        cell.label: Job(
            key=cell.label,
            command=CELL,
            config=cell,
            cost=SECONDS + SECONDS_PER_FACTOR * cell.factors,
        )
        for cell in config.cells
    }
    outcomes = run_table(jobs, context)
    beside = context.draft.target.parent
    cells = tuple(_record(job.config, outcomes[key], beside) for key, job in jobs.items())
    failed = sum(isinstance(cell, FailedCell) for cell in cells)
    result = SuperpositionResult(
        status="incomplete" if failed else "completed",
        failed=failed,
        found=sum(outcome.found for outcome in outcomes.values()),
        cells=cells,
    )
    return result, {}


def _record(
    config: SuperpositionCellConfig, outcome: JobOutcome, beside: Path
) -> CellRecord | FailedCell:
    if outcome.run is None:
        return FailedCell(world=config.world, seed=config.seed, error=outcome.error or "")
    result: CellResult = study_of(CELL).read(Run.load(outcome.run))
    return CellRecord(
        world=config.world,
        factors=config.factors,
        dim=config.dim,
        active=config.active,
        supports=config.supports,
        network=config.network,
        seed=config.seed,
        path=os.path.relpath(outcome.run, beside),
        result=result,
    )
