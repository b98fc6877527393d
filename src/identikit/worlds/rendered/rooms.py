"""Rooms: x(p) = sum_m S_m(p) colour_m, S_m the brightness of what shows surface m within a pixel.

The factors of Shapes3D (Burgess and Kim 2018): floor, wall and object hue 10 each, size 8, shape 4,
azimuth 15; camera, room, objects and lamp measured in its published pictures. Surfaces are
floor, wall, object and sky. S depends on size, shape and azimuth alone, 480 combinations, and hues
enter linearly, so images of the grid are mixed from kept S. S is the mean of 2 x 2 rays a pixel
rounded to 1/1024, colours are whole numbers, and their products and sums are exact in float32:
kept or drawn afresh, an image has the same bits.
Values (n, 6): three hues from 0 to 1, size, shape, azimuth in degrees.
"""

from math import ceil, floor, hypot, prod, sqrt

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from identikit.worlds.grids.shapes3d import GRID
from identikit.worlds.rendered import rays as cast
from identikit.worlds.rendered.rays import Rays, View
from identikit.worlds.rendered.renderer import Renderer, check_resolution

SKY = (154, 225, 250)
DISTANCE, EYE = 3.4, 0.94
"""Of the camera: from the object's axis, and above the floor."""
FOCAL, HORIZON = 1.2, 0.49
"""Focal length in heights of the image; the horizon's share of the height, from the top."""
BACK, SIDE, WALL = 4.8, 4.54, 2.38
"""From the object to the back wall and to those at its sides; height of the walls."""
LAMP = (-0.3, 0.05, 1.0)
"""Towards the lamp: to the left, a little behind, above."""
_LAMP = (LAMP[0] / hypot(*LAMP), LAMP[1] / hypot(*LAMP), LAMP[2] / hypot(*LAMP))
HALF_WIDTH = {"cube": 0.43, "cylinder": 0.45, "sphere": 0.5, "capsule": 0.4}
HEIGHT = {"cube": 0.86, "cylinder": 1.05, "sphere": 1.0, "capsule": 1.65}
"""Of objects of size 1."""
_SMALLEST, _LARGEST = GRID["size"].values.tolist()[:: GRID["size"].size - 1]
_GEOMETRIES = prod(GRID.sizes[3:])  # the last factors, which change fastest
_SHAPES = GRID["shape"].levels
_RAYS = 2  # along each side of a pixel
_LEVELS = 1024
_FAR_SHADOW = 1.1  # no shadow is further from the object's axis


class Rooms(Renderer):
    """Shapes3D without a download, at any resolution and between its levels.

    Args:
        resolution: Pixels along each side; 64 in Shapes3D.

    Raises:
        InputError: too few pixels for the smallest object.
    """

    def __init__(self, *, resolution: int = 64) -> None:
        narrowest = 2 * min(HALF_WIDTH.values()) * _SMALLEST * FOCAL / DISTANCE
        check_resolution(resolution, narrowest=narrowest, world="rooms")
        super().__init__("rooms", GRID, shape=(3, resolution, resolution))
        self.resolution = resolution

    def images(self, rows: Int[Tensor, " n"]) -> UInt8[Tensor, "n 3 h w"]:
        """The images of these rows, the same as rendered from their values."""
        at = rows % _GEOMETRIES
        values, kept = self.values(rows), self._kept(rows.device)
        images = torch.empty(len(rows), *self.shape, dtype=torch.uint8, device=rows.device)
        every = torch.arange(len(rows), device=rows.device)
        for part in torch.split(every, self._at_once(rows.device)):
            images[part] = _mix(kept[at[part]], values[part])
        return images

    def _kept(self, device: torch.device) -> Float[Tensor, "480 4 h w"]:
        """Brightness of all surfaces for every size, shape and azimuth."""
        if device not in self._caches:
            values = self.values(torch.arange(_GEOMETRIES, device=device))
            kept = torch.empty(len(values), 4, *self.shape[1:], device=device)
            self._caches[device] = self._by_shape(self._surfaces, values, out=kept)
        return self._caches[device]

    def _draw(self, shape: int, values: Float[Tensor, "n 6"]) -> UInt8[Tensor, "n 3 h w"]:
        return _mix(self._surfaces(shape, values), values)

    def _surfaces(self, shape: int, values: Float[Tensor, "n 6"]) -> Float[Tensor, "n 4 h w"]:
        """Brightness of floor, wall, object and sky, as multiples of 1/1024."""
        size, turn = values[:, 3, None, None], values[:, 5, None, None].double().deg2rad()
        # turned in double, so that cosine and sine round to one float
        view = View(cos=turn.cos().float(), sin=turn.sin().float(), lamp=_LAMP)
        rays, name = self._rays(values.device), _SHAPES[shape]
        parts = torch.zeros(
            len(values), 4, *(_RAYS * side for side in self.shape[1:]), device=values.device
        )
        ground, wall, thing, sky = parts.unbind(1)
        t, brightness = _walls(rays, view)
        z = EYE + rays.v * t
        sky[:] = z > WALL
        wall[:] = brightness.where((z >= 0) & (z <= WALL), 0)
        ground[:] = cast.shade(-rays.v / rays.length, _LAMP[2]).where(z < 0, 0)
        rows = self._slice(HORIZON + FOCAL * EYE / (DISTANCE + _FAR_SHADOW), 1.0)
        near = rays.crop(rows, slice(None))
        shadow = _shadow(name, size, near, view)
        ground[:, rows] = torch.where(
            shadow, cast.shade(-near.v / near.length, 0.0), ground[:, rows]
        )
        window = self._window(name)
        met, brightness = _meet(name, size, rays.crop(*window), view)
        parts[:, :, *window] *= ~met[:, None]
        thing[:, *window] = brightness.where(met, 0)
        pairs = parts[:, :, ::2] + parts[:, :, 1::2]  # several times faster than avg_pool2d
        pixels = pairs[..., ::2] + pairs[..., 1::2]
        return pixels.mul_(_LEVELS / _RAYS**2).round_().div_(_LEVELS)

    def _rays(self, device: torch.device) -> Rays:
        count = _RAYS * self.resolution
        share = (torch.arange(count, dtype=torch.float64, device=device) + 0.5) / count
        u, v = (share - 0.5) / FOCAL, (HORIZON - share) / FOCAL
        return Rays(u=u.float()[None], v=v.float()[:, None], distance=DISTANCE, eye=EYE)

    def _window(self, name: str) -> tuple[slice, slice]:
        """Rows and columns of rays outside which no object of this shape is seen."""
        radius = HALF_WIDTH[name] * _LARGEST * (sqrt(2) if name == "cube" else 1)
        above = HEIGHT[name] * _LARGEST - EYE
        top = above / (DISTANCE - radius if above > 0 else DISTANCE + radius)
        aside = FOCAL * radius / sqrt(DISTANCE**2 - radius**2)
        bottom = EYE / (DISTANCE - radius)
        rows = self._slice(HORIZON - FOCAL * top, HORIZON + FOCAL * bottom)
        return rows, self._slice(0.5 - aside, 0.5 + aside)

    def _slice(self, start: float, stop: float) -> slice:
        """The rays between two shares of the image's side."""
        count = _RAYS * self.resolution
        return slice(max(0, floor(start * count)), min(count, ceil(stop * count)))


def _walls(rays: Rays, view: View) -> tuple[Float[Tensor, "n 1 w"], Float[Tensor, "n h w"]]:
    """Where rays meet the nearest wall, and how bright it is there."""
    dx, dy = view.to_room(rays.u, torch.ones_like(rays.u))
    back = (BACK + DISTANCE * view.cos) / dy
    side = torch.where(dx < 0, -SIDE, SIDE).sub(DISTANCE * view.sin) / dx
    facing = torch.where(back < side, dy, dx.abs())
    return torch.minimum(back, side), cast.shade(facing / rays.length, 0.0)


def _meet(
    name: str, size: Float[Tensor, "n 1 1"], rays: Rays, view: View
) -> tuple[Bool[Tensor, "n h w"], Float[Tensor, "n h w"]]:
    """Which rays meet the object, and how bright it is there."""
    half, height = HALF_WIDTH[name] * size, HEIGHT[name] * size
    if name in ("sphere", "capsule"):
        return cast.capsule(rays, view, radius=half, height=height)
    column = cast.square_column if name == "cube" else cast.round_column
    return cast.prism(rays, view, column(rays, view, half), height=height)


def _shadow(
    name: str, size: Float[Tensor, "n 1 1"], rays: Rays, view: View
) -> Bool[Tensor, "n h w"]:
    """Where the floor that the rays meet is in the object's shadow."""
    t = -rays.eye / rays.v
    x, y = rays.u * t, (t - rays.distance).expand(-1, rays.u.shape[1])
    half, height = HALF_WIDTH[name] * size, HEIGHT[name] * size
    if name == "cube":
        return cast.shadow_of_cube(x, y, view=view, half=half)
    kind = cast.shadow_of_cylinder if name == "cylinder" else cast.shadow_of_capsule
    return kind(x, y, view=view, radius=half, height=height)


def _mix(
    surfaces: Float[Tensor, "n 4 h w"], values: Float[Tensor, "n 6"]
) -> UInt8[Tensor, "n 3 h w"]:
    """Surfaces in their colours; every sum is exact, in whatever order."""
    hue = 6 * values[:, :3, None] + torch.tensor([0.0, 4.0, 2.0], device=values.device)
    rgb = ((hue.remainder(6) - 3).abs() - 1).clamp(0, 1)  # full saturation and value
    sky = torch.tensor(SKY, dtype=torch.float32, device=values.device).expand(len(values), 1, 3)
    colours = torch.cat([(255 * rgb).round(), sky], dim=1)
    mixed: Tensor = colours.mT @ surfaces.flatten(2)
    return mixed.round_().to(torch.uint8).reshape(len(values), 3, *surfaces.shape[2:])
