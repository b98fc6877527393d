"""Which rows of a grid are for training, validation and test: 80/10/10 at random.

A split is three lists of row numbers; images are looked up by them and never copied.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.worlds.grids.grid import Grid

HELD_OUT = 0.1
"""Share of the rows in validation, and in test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Row numbers, int64, in random order; no row is in two parts."""

    train: Int[Tensor, " n_train"]
    validation: Int[Tensor, " n_validation"]
    test: Int[Tensor, " n_test"]


def split_rows(grid: Grid, *, task: str, seed: int, images: int | None = None) -> Split:
    """Deal out all rows of a grid, or `images` of them drawn at random.

    Args:
        grid: the rows.
        task: the factor that is to be classified: each part must hold each of its levels.
        seed: decides the split.
        images: how many rows are dealt out; by default all.

    Raises:
        InputError: an unknown factor, more images than the grid has, or a level of `task` that has
            no image in some part.
    """
    number = grid.size if images is None else images
    if not 0 < number <= grid.size:
        raise InputError(f"images must be from 1 to the grid's {grid.size}; got {images}.")
    order = torch.randperm(grid.size, generator=stream(seed, "split"))[:number]
    held_out = int(number * HELD_OUT)
    ends = number - 2 * held_out, number - held_out
    parts = order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] :]
    column, levels = grid.position(task), grid[task].size
    for part in parts:
        present = int(torch.bincount(grid.indices(part)[:, column]).count_nonzero())
        if present < levels:
            raise InputError(
                f"of {number} images a part gets {len(part)}, which hold {present} of the {levels} "
                f"levels of {task!r}: a class has too few images for the split. Use more images."
            )
    train, validation, test = parts
    return Split(train=train, validation=validation, test=test)
