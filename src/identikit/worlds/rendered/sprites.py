"""Sprites: x(p) = clamp(1/2 - sd(R(-a) (p - c) / s) s, 0, 1), white on black, p and s in pixels.

The factors of dSprites (Matthey, Higgins, Hassabis and Lerchner 2017): shape 3, scale 6,
orientation 40, x 32, y 32. As there the first and last orientation, 0 and 2 pi, are the same
picture, and since 39 steps make the turn no other two are, although a square looks alike after a
quarter and an ellipse after half a turn. At 64 pixels, or a multiple, neighbouring places are
whole pixels apart, so an image of the grid is a cut-out of one of 720 masks, to the same bits.
Values (n, 5): shape, scale, orientation in radians counter-clockwise, x to the right and y down.
"""

from math import ceil

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from identikit.worlds.grids.dsprites import GRID
from identikit.worlds.rendered.distances import MINOR_AXIS, Distance, ellipse, heart, square
from identikit.worlds.rendered.renderer import Renderer, check_resolution

RADIUS = 15.4 / 64
"""Circumradius of a sprite of scale 1, as a share of the image."""
PLACES = 32
_EDGE, _STEP = 16.5 / 64, 1 / 64  # first centre and distance of neighbours, as shares
_SUBPIXEL = 4096  # centres are multiples of this part of a pixel, so that places are exact
_DISTANCES: tuple[Distance, ...] = (square, ellipse, heart)


class Sprites(Renderer):
    """dSprites without a download, at any resolution and between its levels.

    Args:
        resolution: Pixels along each side; 64 in dSprites.
        antialiased: Grey outlines by the share of a pixel inside; black or white otherwise, as in
            dSprites.

    Raises:
        InputError: too few pixels for the smallest shape.
    """

    def __init__(self, *, resolution: int = 64, antialiased: bool = False) -> None:
        narrowest = 2 * RADIUS * MINOR_AXIS * GRID["scale"].values[0].item()
        check_resolution(resolution, narrowest=narrowest, world="sprites")
        super().__init__("sprites", GRID, shape=(1, resolution, resolution))
        self.resolution, self.antialiased = resolution, antialiased

    def images(self, rows: Int[Tensor, " n"]) -> UInt8[Tensor, "n 1 h w"]:
        """The images of these rows, the same as rendered from their values."""
        step, off_pixel = divmod(self.resolution, 64)
        if off_pixel:
            return self.render(self.values(rows))
        index = self.grid.indices(rows)
        mask = (index[:, 0] * 6 + index[:, 1]) * 40 + index[:, 2]
        left, top = (PLACES - 1 - index[:, 3:]).unbind(1)
        side = self.resolution
        return (
            self._masks(step, rows.device)
            .unfold(1, side, step)
            .unfold(2, side, step)[mask, top, left][:, None]
        )

    def _masks(self, step: int, device: torch.device) -> UInt8[Tensor, "720 s s"]:
        """Every shape, scale and orientation at the last place of an image that much larger."""
        if device not in self._caches:
            rows = torch.arange(720, device=device) * PLACES**2 + PLACES**2 - 1
            values, side = self.values(rows), self.resolution + step * (PLACES - 1)
            parts = [
                self._stamp(shape, part, side=side)
                for shape, part in enumerate(torch.split(values, 240))
            ]
            self._caches[device] = torch.cat(parts)
        return self._caches[device]

    def _draw(self, shape: int, values: Float[Tensor, "n 5"]) -> UInt8[Tensor, "n 1 h w"]:
        return self._stamp(shape, values, side=self.resolution)[:, None]

    def _stamp(
        self, shape: int, values: Float[Tensor, "n 5"], *, side: int
    ) -> UInt8[Tensor, "n s s"]:
        """Sprites of one shape on black squares of that side; drawn in a window around each."""
        _, scale, angle, *_ = values.T
        width = ceil(2 * RADIUS * self.resolution) + 2
        centre = (_EDGE + (PLACES - 1) * _STEP * values[:, 3:]) * self.resolution
        centre = (centre * _SUBPIXEL).round() / _SUBPIXEL
        corner = (centre - width / 2).floor().clamp(0, side - width)
        steps = torch.arange(width, dtype=torch.float32, device=values.device) + 0.5
        x, y = (corner - centre)[:, :, None].add(steps).unbind(1)
        radius = (RADIUS * self.resolution * scale)[:, None]  # pixels
        turn = angle.double()[:, None]  # in double, so that its functions round to one float
        cos, sin = turn.cos().float() / radius, turn.sin().float() / radius
        across = (cos * x)[:, None, :] - (sin * y)[:, :, None]  # y is down, shapes have it up
        up = -(sin * x)[:, None, :] - (cos * y)[:, :, None]
        distance = _DISTANCES[shape](across, up) * radius[:, None]
        share = (0.5 - distance).clamp(0, 1) if self.antialiased else (distance < 0).float()
        images = torch.zeros(len(values), side, side, dtype=torch.uint8, device=values.device)
        windows = images.unfold(1, width, 1).unfold(2, width, 1)
        left, top = corner.long().unbind(1)
        every = torch.arange(len(values), device=values.device)
        windows[every, top, left] = (255 * share).round().to(torch.uint8)
        return images
