"""The table: a cell for every world, encoder, task and repetition, found or made, collected."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from identikit.runs.jobs import Job, JobOutcome
from identikit.runs.lookup import study_of
from identikit.runs.store import Run
from identikit.runs.study import Arrays, Context
from identikit.runs.table import run_table
from identikit.studies.paper.dislib.config import ALL, CELL, CellConfig, DisLibConfig
from identikit.studies.paper.dislib.readings import CellRecord, FailedCell
from identikit.studies.paper.dislib.result import (
    AxisDescription,
    CellResult,
    DisLibResult,
    WorldDescription,
)
from identikit.studies.paper.dislib.sources import default_task, image_grid
from identikit.worlds.grids.grid import Grid, ImageGrid
from identikit.worlds.grids.split import split_rows

SECONDS_PER_IMAGE = {"pixels": 1e-3, "linear": 4e-4, "mlp": 5e-4, "resnet18": 6e-3}
"""Roughly, of training at 32 x 32 pixels on one core; only decides the order and the time left."""
LEVELS_SHOWN = 7
"""Pictures of a traversal."""


def compute(config: DisLibConfig, context: Context) -> tuple[DisLibResult, Arrays]:
    """Make whatever cell is not yet there, and collect.

    Args:
        config: What the table is of.
        context: Its root is the folder of the cells, where those made before are found; told of
            a `TableProgress` at the start and after every cell.

    Raises:
        InputError: an unknown world, encoder or task, a file that cannot be read, or a class with
            too few images for the split.
    """
    worlds = [(source, image_grid(*source[:2])) for source in config.sources]
    jobs = {job.key: job for source, images in worlds for job in _jobs(config, source, images.grid)}
    outcomes = run_table(jobs, context)
    beside = context.draft.target.parent
    cells = tuple(_record(job.config, outcomes[key], beside) for key, job in jobs.items())
    failed = sum(isinstance(cell, FailedCell) for cell in cells)
    result = DisLibResult(
        status="incomplete" if failed else "completed",
        failed=failed,
        found=sum(outcome.found for outcome in outcomes.values()),
        cells=cells,
        worlds={images.name: _described(images) for _, images in worlds},
    )
    return result, {images.name: _traversals(images) for _, images in worlds}


def tasks_of(config: DisLibConfig, grid: Grid) -> tuple[str, ...]:
    """The factors to classify, one after the other.

    Raises:
        InputError: a factor that the grid does not have.
    """
    if config.tasks == (ALL,):
        return grid.names
    for name in config.tasks:
        grid.position(name)
    return config.tasks or (default_task(grid),)


def _jobs(config: DisLibConfig, source: tuple[str, str, str], grid: Grid) -> Iterator[Job]:
    tasks = tasks_of(config, grid)
    for task in tasks:  # a class with too few images is refused before anything is trained
        split_rows(grid, task=task, seed=0, images=config.preset.images)
    for repetition in range(config.preset.repetitions):
        for encoder in config.encoders:
            for task in tasks[:1] if encoder == "pixels" else tasks:
                cell = config.cell(source, encoder=encoder, task=task, repetition=repetition)
                images = min(grid.size, cell.images or grid.size)
                work = images * (3 if encoder == "pixels" else cell.epochs + 3)
                yield Job(
                    key=f"{source[0]}, {encoder}, {task}, repetition {repetition}",
                    command=CELL,
                    config=cell,
                    cost=1.0 + work * SECONDS_PER_IMAGE[encoder],
                )


def _record(config: CellConfig, outcome: JobOutcome, beside: Path) -> CellRecord | FailedCell:
    """What the table keeps of a cell."""
    if outcome.run is None:
        return FailedCell(
            world=config.world,
            encoder=config.encoder,
            task=config.task,
            repetition=config.repetition,
            error=outcome.error or "",
        )
    run = Run.load(outcome.run)
    result: CellResult = study_of(CELL).read(run)
    assert result.readings is not None  # an interrupted cell has an error
    return CellRecord(
        world=config.world,
        encoder=config.encoder,
        task=config.task,
        repetition=config.repetition,
        path=os.path.relpath(outcome.run, beside),
        seconds=run.origin["seconds"],
        readings=result.readings,
    )


def _described(images: ImageGrid) -> WorldDescription:
    axes = [
        AxisDescription(
            name=axis.name,
            kind=str(axis.kind),
            size=axis.size,
            shown=tuple(
                axis.levels[k] if axis.levels else f"{axis.values[k]:.3g}"
                for k in _shown(axis.size).tolist()
            ),
        )
        for axis in images.grid.axes
    ]
    return WorldDescription(images=images.grid.size, shape=images.shape, factors=tuple(axes))


def _shown(size: int) -> Int[Tensor, " levels"]:
    """The levels of a traversal, from the first to the last."""
    return torch.linspace(0, size - 1, min(size, LEVELS_SHOWN)).round().long()


def _traversals(images: ImageGrid) -> NDArray[np.uint8]:
    """Each factor over some of its levels with the others held, one after the other."""
    sizes = images.grid.sizes
    held = torch.tensor([size * (j + 1) // (len(sizes) + 1) for j, size in enumerate(sizes)])
    indices = []
    for j, size in enumerate(sizes):
        levels = _shown(size)
        indices.append(held.repeat(len(levels), 1))
        indices[-1][:, j] = levels
    found: NDArray[np.uint8] = images.images(images.grid.rows(torch.cat(indices))).numpy()
    return found
