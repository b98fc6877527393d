"""All trainings, found or made, collected."""

import os
from pathlib import Path

from identikit.runs.jobs import Job, JobOutcome
from identikit.runs.lookup import study_of
from identikit.runs.store import Run
from identikit.runs.study import Arrays, Context
from identikit.runs.table import run_table
from identikit.studies.diet_pixels.config import (
    CELL,
    CONDITIONS,
    REFERENCE,
    DietPixelsConfig,
    PhotographsConfig,
)
from identikit.studies.diet_pixels.photographs import load_photographs
from identikit.studies.diet_pixels.result import (
    DietPixelsResult,
    FailedTraining,
    PhotographsRecord,
    PhotographsResult,
)
from identikit.studies.genealogy.table import collected, jobs_of

SECONDS_PER_IMAGE = {"none": 6e-4, "strong": 1.5e-3}
"""Roughly, of the small network on one core; only decides the order and the time left."""
SECONDS_OF_READING = 8.0


def compute(config: DietPixelsConfig, context: Context) -> tuple[DietPixelsResult, Arrays]:
    """Make whatever training is not yet there, and collect.

    Args:
        config: Which trainings.
        context: Its root is the folder of their runs, where those made before are found; told of a
            `TableProgress` at the start and after every training.

    Raises:
        InputError: a file that is missing, damaged or of another kind.
    """
    for data, file in config.files.items():  # a wrong file is refused before anything is trained
        load_photographs(data, file, size=config.preset.size)
    worlds = jobs_of(config.world_cells)
    photographs = {cell.label: _job(cell) for cell in config.photograph_cells}
    outcomes = run_table(worlds | photographs, context)
    beside = context.draft.target.parent
    matrix = collected(worlds, outcomes, beside)
    records = tuple(_record(job.config, outcomes[key], beside) for key, job in photographs.items())
    failed = matrix.failed + sum(isinstance(record, FailedTraining) for record in records)
    return DietPixelsResult(
        status="incomplete" if failed else "completed",
        failed=failed,
        found=sum(outcome.found for outcome in outcomes.values()),
        worlds=matrix,
        photographs=records,
    ), {}


def _job(cell: PhotographsConfig) -> Job:
    seconds = SECONDS_OF_READING
    if cell.condition != REFERENCE:
        augment = CONDITIONS[cell.condition].augment
        seconds += cell.steps * cell.batch_size * SECONDS_PER_IMAGE[augment]
    return Job(key=cell.label, command=CELL, config=cell, cost=seconds)


def _record(
    config: PhotographsConfig, outcome: JobOutcome, beside: Path
) -> PhotographsRecord | FailedTraining:
    if outcome.run is None:
        return FailedTraining(label=config.label, error=outcome.error or "")
    result: PhotographsResult = study_of(CELL).read(Run.load(outcome.run))
    return PhotographsRecord(
        data=config.data,
        held_out=config.held_out,
        condition=config.condition,
        seed=config.seed,
        path=os.path.relpath(outcome.run, beside),
        result=result,
    )
