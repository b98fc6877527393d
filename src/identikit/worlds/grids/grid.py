"""A factor grid: row = sum_j index_j * stride_j, the last factor fastest, one image a row.

Rows are integers and so are the levels of every factor, so nothing is rounded on the way from an
image to its labels; what a level means (15 degrees, "heart") is looked up in its factor.
Shapes: n rows, k factors; images are n x channels x height x width, uint8.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from identikit.core.errors import InputError, unknown_name
from identikit.core.factors import Factor, Factors, Kind

_BY_INDEX = (Kind.CATEGORICAL, Kind.BINARY, Kind.ORDINAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridFactor:
    """One factor of a grid: its levels in order.

    Raises:
        InputError: fewer than two levels, levels that repeat, as many names as no levels, or a
            period that does not go with the kind.
    """

    name: str
    kind: Kind
    values: Float[Tensor, " size"]
    """Float64, of each level in the factor's own unit; 0, 1, ... where levels have no number."""
    period: float | None = None
    """One full turn in the values' unit; for circular factors and no others."""
    levels: tuple[str, ...] = ()
    """Names of the levels, where they have names."""

    def __post_init__(self) -> None:
        if self.size < 2 or len(set(self.values.tolist())) < self.size:
            raise InputError(
                f"factor {self.name!r} needs two or more different levels; got "
                f"{self.values.tolist()}."
            )
        if self.levels and len(self.levels) != self.size:
            raise InputError(
                f"factor {self.name!r} has {self.size} levels and {len(self.levels)} names."
            )
        if (self.kind is Kind.CIRCULAR) != (self.period is not None):
            raise InputError(
                f"factor {self.name!r} is {self.kind} with period {self.period}; a circular factor "
                "needs a period, others take none."
            )

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(self.values)

    def at(self, index: Int[Tensor, " n"]) -> Factor:
        """The column of samples with these levels: values, or the index where kinds have one.

        Raises:
            InputError: one level only.
        """
        by_index = self.kind in _BY_INDEX
        return Factor(
            name=self.name,
            kind=self.kind,
            values=index.double() if by_index else self.values.to(index.device)[index],
            period=self.period,
            levels=self.levels,
        )


def levelled(
    name: str, levels: int | tuple[str, ...], *, kind: Kind = Kind.CATEGORICAL
) -> GridFactor:
    """A factor whose levels have an index only: so many of them, or these names."""
    size = levels if isinstance(levels, int) else len(levels)
    values = torch.arange(size, dtype=torch.float64)
    names = levels if isinstance(levels, tuple) else ()
    return GridFactor(name=name, kind=kind, values=values, levels=names)


def continuous(name: str, low: float, high: float, size: int) -> GridFactor:
    """A continuous factor whose levels are evenly spread, both ends included."""
    values = torch.linspace(low, high, size, dtype=torch.float64)
    return GridFactor(name=name, kind=Kind.CONTINUOUS, values=values)


def circular_axis(name: str, size: int, *, period: float) -> GridFactor:
    """A factor that goes once around its circle in equal steps, from 0."""
    values = torch.arange(size, dtype=torch.float64) * (period / size)
    return GridFactor(name=name, kind=Kind.CIRCULAR, values=values, period=period)


@dataclass(frozen=True, slots=True)
class Grid:
    """All combinations of the levels of some factors.

    Raises:
        InputError: no factors, or two of one name.
    """

    axes: tuple[GridFactor, ...]
    """The factors, in the order of the rows: the first changes slowest."""

    def __post_init__(self) -> None:
        if not self.axes or len(set(self.names)) < len(self.axes):
            raise InputError(f"a grid needs factors of different names; got {self.names}.")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the factors."""
        return tuple(factor.name for factor in self.axes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of levels of each factor."""
        return tuple(factor.size for factor in self.axes)

    @property
    def size(self) -> int:
        """Number of rows."""
        return math.prod(self.sizes)

    def position(self, name: str) -> int:
        """Column of a factor in `indices`.

        Raises:
            InputError: there is none of that name; the nearest is named.
        """
        if name not in self.names:
            raise unknown_name("factor", name, self.names)
        return self.names.index(name)

    def __getitem__(self, name: str) -> GridFactor:
        return self.axes[self.position(name)]

    def indices(self, rows: Int[Tensor, " n"]) -> Int[Tensor, "n k"]:
        """Level of every factor at these rows, int64, on the device of `rows`.

        Raises:
            InputError: a row that the grid does not have.
        """
        self.check_rows(rows)
        return torch.stack(torch.unravel_index(rows, self.sizes), dim=1)

    def rows(self, indices: Int[Tensor, "n k"]) -> Int[Tensor, " n"]:
        """Rows at these levels, int64: the inverse of `indices`.

        Raises:
            InputError: as many columns as no factors, or a level that a factor does not have.
        """
        if indices.shape[1] != len(self.sizes):
            raise InputError(
                f"indices must have one column for each of {', '.join(self.names)}; got "
                f"{indices.shape[1]} columns."
            )
        rows = torch.zeros(len(indices), dtype=torch.int64, device=indices.device)
        for column, factor in zip(indices.T, self.axes, strict=True):
            self._check(column, factor.size, what=f"level of {factor.name!r}")
            rows = rows * factor.size + column
        return rows

    def values(self, rows: Int[Tensor, " n"]) -> Float[Tensor, "n k"]:
        """Value of every factor at these rows, float64; the index of levels that have no number.

        Raises:
            InputError: a row that the grid does not have.
        """
        columns = zip(self.indices(rows).T, self.axes, strict=True)
        return torch.stack([axis.values.to(i.device)[i] for i, axis in columns], dim=1)

    def factors(self, rows: Int[Tensor, " n"]) -> Factors:
        """What is known at these rows: values in their unit where a level has one, else its index.

        Circular and continuous factors come as values, the others as the index of the level.

        Raises:
            InputError: a row that the grid does not have, or rows among which a factor is constant.
        """
        columns = zip(self.indices(rows).T, self.axes, strict=True)
        return Factors([factor.at(index) for index, factor in columns])

    def check_rows(self, rows: Int[Tensor, " n"]) -> None:
        """Nothing, if the grid has all of these rows.

        Raises:
            InputError: a row that the grid does not have.
        """
        self._check(rows, self.size, what="row")

    @staticmethod
    def _check(index: Tensor, size: int, *, what: str) -> None:
        if len(index) and (index.min() < 0 or index.max() >= size):
            raise InputError(
                f"a {what} must be from 0 to {size - 1}; got {index.min().item()} to "
                f"{index.max().item()}."
            )


class ImageGrid(ABC):
    """One image for every row of a grid, read from disk or rendered."""

    name: str
    """As in tables and on the command line."""
    grid: Grid
    """The factors."""
    shape: tuple[int, int, int]
    """Channels, height and width of an image, in pixels."""

    @abstractmethod
    def images(self, rows: Int[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """The images of these rows, in their order; 0 is black, 255 white or full colour.

        Raises:
            InputError: a row that the grid does not have.
        """
