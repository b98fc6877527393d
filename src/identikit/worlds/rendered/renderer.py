"""What renderers share: a grid of factors whose images are drawn, also between its levels.

A renderer is an `ImageGrid`, so it stands wherever a set on disk does, and a map from factors
to images besides. Values of factors (n, k) are in the factors' own units, the index of the level
for categorical ones; images are (n, c, h, w), uint8. Numbers are rounded to float32 once, on the
way in, so an image depends on its factors alone: not on its batch or the precision of its input.
"""

from abc import abstractmethod
from collections.abc import Callable
from math import ceil

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Kind
from identikit.worlds.grids.grid import Grid, ImageGrid

_SHAPE = "shape"
_CHUNK_PIXELS = {"cpu": 2**18, "cuda": 2**26}  # what fits a cache, and what fills a GPU
_LEAST_PIXELS = 3.0


class Renderer(ImageGrid):
    """A grid of factors, and how to draw them.

    Args:
        name: Of the world.
        grid: Its factors, one of them called shape.
        shape: Channels, height and width of an image.
    """

    def __init__(self, name: str, grid: Grid, *, shape: tuple[int, int, int]) -> None:
        self.name, self.grid, self.shape = name, grid, shape
        self._caches: dict[torch.device, Tensor] = {}

    def values(self, rows: Int[Tensor, " n"]) -> Float[Tensor, "n k"]:
        """Values of all factors at these rows of the grid, float32; what `render` takes."""
        return self.grid.values(rows).float()

    def render(self, values: Float[Tensor, "n k"]) -> UInt8[Tensor, "n c h w"]:
        """Images of any values between the outermost levels, any angle, any level of the shape.

        Raises:
            InputError: another number of columns, or a value that cannot be drawn.
        """
        self._check(values)
        out = torch.empty(len(values), *self.shape, dtype=torch.uint8, device=values.device)
        return self._by_shape(self._draw, values.float(), out=out)

    def _by_shape(
        self, draw: Callable[[int, Tensor], Tensor], values: Float[Tensor, "n k"], *, out: Tensor
    ) -> Tensor:
        """Fill `out` few rows at a time, all of one shape, so that only its formulas are used."""
        shapes = values[:, self.grid.position(_SHAPE)]
        for shape in range(self.grid[_SHAPE].size):
            alike = (shapes == shape).nonzero()[:, 0]
            for rows in torch.split(alike, self._at_once(values.device)) if len(alike) else ():
                out[rows] = draw(shape, values[rows])
        return out

    def _at_once(self, device: torch.device) -> int:
        """How many images are drawn at a time."""
        _, height, width = self.shape
        return max(1, _CHUNK_PIXELS.get(device.type, 2**18) // (height * width))

    @abstractmethod
    def _draw(self, shape: int, values: Float[Tensor, "n k"]) -> UInt8[Tensor, "n c h w"]:
        """Images of few enough values, all of one shape."""

    def _check(self, values: Tensor) -> None:
        if values.ndim != 2 or values.shape[1] != len(self.grid.axes):
            raise InputError(
                f"values must be a matrix with one column for each of "
                f"{', '.join(self.grid.names)}; got shape {tuple(values.shape)}."
            )
        for axis, column in zip(self.grid.axes, values.T, strict=True):
            bad = ~column.isfinite()
            low, high = axis.values[0].item(), axis.values[-1].item()
            if axis.kind is not Kind.CIRCULAR:
                slack = 1e-6 * (high - low)
                bad |= (column < low - slack) | (column > high + slack)
            if axis.kind is Kind.CATEGORICAL:
                bad |= column != column.round()
            if bad.any():
                whole = "a whole number " if axis.kind is Kind.CATEGORICAL else ""
                limits = f"{whole}from {low:g} to {high:g}"
                what = "finite" if axis.kind is Kind.CIRCULAR else limits
                raise InputError(
                    f"{axis.name} must be {what} to be drawn; got {column[bad][0].item():g}."
                )


def check_resolution(resolution: int, *, narrowest: float, world: str) -> None:
    """Refuse images on which the smallest shape is less than three pixels across.

    Args:
        resolution: Pixels along each side.
        narrowest: Width of the smallest shape as a share of the image.
        world: Its name, for the message.

    Raises:
        InputError: too few pixels.
    """
    least = ceil(_LEAST_PIXELS / narrowest)
    if resolution < least:
        raise InputError(
            f"resolution must be at least {least} to draw the smallest shape of {world} "
            f"{_LEAST_PIXELS:g} pixels wide; got {resolution}."
        )
