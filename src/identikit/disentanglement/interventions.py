"""Rows that share the level of one factor: what a finite table has for an intervention.

A factor is drawn uniformly, then a row, then others with that row's level of the factor: what a
sampler with that factor fixed would give, where the table is a full grid or its factors are
independent. Levels with a single row are never drawn. Rows are (n,), levels (n, k).
"""

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray

from identikit.core.errors import InputError


def by_level(
    levels: Int[np.ndarray, " n"], *, count: int = 0
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " v"], Int[np.ndarray, " v"]]:
    """Rows in the order of their level, and where each level starts and how many rows it has.

    Args:
        levels: From 0.
        count: How many there are, if some may have no row.
    """
    size = np.bincount(levels, minlength=count)
    small = levels.astype(np.min_scalar_type(len(size)))  # up to 16 bits take no comparisons
    return np.argsort(small, kind="stable"), np.cumsum(size) - size, size


class Interventions:
    """The draws.

    Raises:
        InputError: a factor none of whose levels has two rows.
    """

    def __init__(self, levels: Int[np.ndarray, "n k"], *, generator: torch.Generator) -> None:
        self._generator = generator
        self._order, self._anchors, self._place, self._start, self._size = [], [], [], [], []
        for j, column in enumerate(levels.T):
            order, start, size = by_level(column)
            place = np.empty(len(column), np.int64)
            place[order] = np.arange(len(column)) - start[column[order]]
            anchors = np.flatnonzero(size[column] > 1)
            if not len(anchors):
                raise InputError(
                    f"factor {j} (from 0) has a different value in every row, so no two rows share "
                    "it. Give factor_bins=20 to cut factors into levels of equal mass."
                )
            self._order.append(order)
            self._anchors.append(anchors)
            self._place.append(place)
            self._start.append(start[column])
            self._size.append(size[column])

    def factors(self, count: int) -> Int[np.ndarray, " count"]:
        """Which factor is held, uniformly; in ascending order."""
        drawn = torch.randint(len(self._order), (count,), generator=self._generator)
        return np.sort(drawn.numpy())

    def anchors(self, factor: int, count: int) -> Int[np.ndarray, " count"]:
        """Rows that share their level of the factor with another row."""
        rows = self._anchors[factor]
        drawn: NDArray[np.int64] = rows[
            torch.randint(len(rows), (count,), generator=self._generator).numpy()
        ]
        return drawn

    def others(self, factor: int, anchors: Int[np.ndarray, " count"]) -> Int[np.ndarray, " count"]:
        """For each row another one with the same level."""
        size = self._size[factor][anchors]
        share = torch.rand(len(anchors), generator=self._generator).numpy()
        step = 1 + np.minimum((share * (size - 1)).astype(np.int64), size - 2)
        place = (self._place[factor][anchors] + step) % size
        return np.asarray(self._order[factor][self._start[factor][anchors] + place])
