"""The table: a cell for every world, encoder, task and repetition, found or made, collected."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from identikit.runs.jobs import Job, Outcome, run_jobs, seconds_left
from identikit.runs.store import Draft, Run
from identikit.runs.study import Outcome as Result
from identikit.studies.paper.dislib.config import ALL, CELL, CellConfig, DisLibConfig
from identikit.studies.paper.dislib.sources import default_task, image_grid
from identikit.worlds.grids.grid import Grid, ImageGrid
from identikit.worlds.grids.split import split_rows

SECONDS_PER_IMAGE = {"pixels": 1e-3, "linear": 4e-4, "mlp": 5e-4, "resnet18": 6e-3}
"""Roughly, of training at 32 x 32 pixels on one core; only decides the order and the time left."""
LEVELS_SHOWN = 7
"""Pictures of a traversal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProgress:
    """How far a table is."""

    done: int
    cells: int
    seconds_left: float | None
    """None until something was made, not found."""
    words: str
    """Of the cell that was just finished; empty at the start."""


def compute(
    config: DisLibConfig,
    draft: Draft,
    *,
    root: Path,
    open_executor: Callable[[], AbstractContextManager[Executor]],
    on_cell: Callable[[TableProgress], None],
) -> Result:
    """Make whatever cell is not yet there, and collect.

    Args:
        config: What the table is of.
        draft: Where the table itself goes; its cells go to `root`.
        root: Folder of the cells, where those made before are found.
        open_executor: Gives a `concurrent.futures` executor.
        on_cell: Told at the start and after every cell.

    Raises:
        InputError: an unknown world, encoder or task, a file that cannot be read, or a class with
            too few images for the split.
    """
    worlds = [(source, image_grid(*source[:2])) for source in config.sources]
    jobs = {job.key: job for source, images in worlds for job in _jobs(config, source, images.grid)}
    outcomes: dict[str, Outcome] = {}
    started = time.monotonic()

    def collect(outcome: Outcome) -> None:
        outcomes[outcome.key] = outcome
        words = outcome.error or ("found" if outcome.found else "made")
        on_cell(_standing(jobs, outcomes, started, f"{outcome.key}: {words}"))

    on_cell(_standing(jobs, outcomes, started, ""))
    run_jobs(list(jobs.values()), root=root, open_executor=open_executor, on_outcome=collect)
    cells = [_record(job.config, outcomes[key], draft.target.parent) for key, job in jobs.items()]
    failed = sum(cell["error"] is not None for cell in cells)
    result = {
        "status": "incomplete" if failed else "completed",
        "failed": failed,
        "found": sum(outcome.found for outcome in outcomes.values()),
        "cells": cells,
        "worlds": {images.name: _described(images) for _, images in worlds},
    }
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


def _standing(
    jobs: dict[str, Job], outcomes: dict[str, Outcome], started: float, words: str
) -> TableProgress:
    return TableProgress(
        done=len(outcomes),
        cells=len(jobs),
        seconds_left=seconds_left(jobs, outcomes, started=started),
        words=words,
    )


def _record(config: CellConfig, outcome: Outcome, beside: Path) -> dict[str, Any]:
    """What the table keeps of a cell; its path is relative to where tables stand."""
    names = ("world", "encoder", "task", "repetition")
    record = {name: getattr(config, name) for name in names}
    if outcome.run is None:
        return record | {"path": None, "error": outcome.error}
    result = Run.load(outcome.run).result
    origin = result.pop("provenance")
    path = os.path.relpath(outcome.run, beside)
    return record | result | {"path": path, "error": None, "seconds": origin["seconds"]}


def _described(images: ImageGrid) -> dict[str, Any]:
    axes = [
        {
            "name": axis.name,
            "kind": str(axis.kind),
            "size": axis.size,
            "shown": [axis.levels[k] if axis.levels else f"{axis.values[k]:.3g}" for k in levels],
        }
        for axis, levels in ((axis, _shown(axis.size).tolist()) for axis in images.grid.axes)
    ]
    return {"images": images.grid.size, "shape": list(images.shape), "factors": axes}


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
