"""Where rays meet a cube, a cylinder, a ball or a capsule that stands on the floor, in closed form.

The camera's frame: its axis is y, right is x, up is z, the object's axis goes through the origin
and the camera is at (0, -D, e). The ray of a pixel is (0, -D, e) + t (u, 1, v), so all that is
horizontal depends on the pixel's column alone, and a turn of the camera is one of the light.
A surface is lit by min(1, ambient + head max(0, -n.d)/|d| + lamp max(0, n.L)), d the ray, n its
normal, L towards the lamp. Shapes: n objects, h x w pixels of which columns (n, 1, w) are parts.
"""

from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor

AMBIENT, HEAD, LAMP = 0.15, 0.85, 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Rays:
    """The rays of the pixels in a rectangle of an image, and the camera they come from."""

    u: Float[Tensor, "1 w"]
    """To the right per unit of depth."""
    v: Float[Tensor, "h 1"]
    """Upwards per unit of depth."""
    distance: float
    """D, from the camera to the object's axis."""
    eye: float
    """e, the camera's height."""

    @property
    def length(self) -> Float[Tensor, "h w"]:
        """|d|."""
        return (self.u.square() + self.v.square() + 1).sqrt()

    def crop(self, rows: slice, columns: slice) -> "Rays":
        """The rays of a part of the rectangle."""
        return Rays(u=self.u[:, columns], v=self.v[rows], distance=self.distance, eye=self.eye)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How n cameras are turned about the object's axis, and the lamp that stays where it is."""

    cos: Float[Tensor, "n 1 1"]
    """Of the azimuth; a camera at azimuth a is at D (sin a, -cos a) in the room's frame."""
    sin: Float[Tensor, "n 1 1"]
    lamp: tuple[float, float, float]
    """The direction towards it in the room's frame, of unit length."""

    def to_room(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Horizontal directions, or places, from the camera's frame to the room's."""
        return x * self.cos - y * self.sin, x * self.sin + y * self.cos

    @property
    def lamp_seen(self) -> tuple[Tensor, Tensor, float]:
        """The direction towards the lamp in the cameras' frames."""
        x, y, z = self.lamp
        return x * self.cos + y * self.sin, y * self.cos - x * self.sin, z


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Where rays enter and leave an upright column without ends, by column of pixels."""

    enter: Float[Tensor, "n 1 w"]
    """t."""
    leave: Float[Tensor, "n 1 w"]
    """t; not after `enter` where the ray passes by."""
    facing: Float[Tensor, "n 1 w"]
    """-n.d where it enters."""
    lit: Float[Tensor, "n 1 w"]
    """n.L where it enters."""


def shade(facing: Float[Tensor, "*#n"], lit: Float[Tensor, "*#n"] | float) -> Float[Tensor, "*#n"]:
    """Brightness of a surface from -n.d/|d| and n.L."""
    lamp = LAMP * lit.clamp(min=0) if isinstance(lit, Tensor) else LAMP * lit
    return (AMBIENT + HEAD * facing + lamp).clamp(max=1)


def round_column(rays: Rays, view: View, radius: Float[Tensor, "n 1 1"]) -> Column:
    """A column whose section is a disc."""
    a = rays.u.square() + 1
    root = (rays.distance**2 - a * (rays.distance**2 - radius.square())).sqrt()  # NaN: passes by
    enter = (rays.distance - root) / a
    lamp_x, lamp_y, _ = view.lamp_seen
    lit = (rays.u * enter * lamp_x + (enter - rays.distance) * lamp_y) / radius
    return Column(enter=enter, leave=(rays.distance + root) / a, facing=root / radius, lit=lit)


def square_column(rays: Rays, view: View, half: Float[Tensor, "n 1 1"]) -> Column:
    """A column whose section is a square along the room's axes."""
    dx, dy = view.to_room(rays.u, torch.ones_like(rays.u))
    x, y = -rays.distance * view.sin / dx, rays.distance * view.cos / dy  # t at the axes
    half_x, half_y = half / dx.abs(), half / dy.abs()
    through_x = x - half_x > y - half_y
    # the normal is against the ray
    lit = torch.where(through_x, -dx.sign() * view.lamp[0], -dy.sign() * view.lamp[1])
    return Column(
        enter=torch.maximum(x - half_x, y - half_y),
        leave=torch.minimum(x + half_x, y + half_y),
        facing=torch.where(through_x, dx.abs(), dy.abs()),
        lit=lit,
    )


def prism(
    rays: Rays, view: View, column: Column, *, height: Float[Tensor, "n 1 1"]
) -> tuple[Bool[Tensor, "n h w"], Float[Tensor, "n h w"]]:
    """Which rays meet a column cut off at a height, and how bright it is there."""
    meets = column.enter < column.leave
    enters_at = rays.eye + rays.v * column.enter
    top = (enters_at > height) & (rays.eye + rays.v * column.leave < height)
    side = (enters_at >= 0) & (enters_at <= height)
    brightness = torch.where(
        side,
        shade(column.facing / rays.length, column.lit),
        shade(-rays.v / rays.length, view.lamp[2]),
    )
    return (side | top) & meets, brightness


def capsule(
    rays: Rays, view: View, *, radius: Float[Tensor, "n 1 1"], height: Float[Tensor, "n 1 1"]
) -> tuple[Bool[Tensor, "n h w"], Float[Tensor, "n h w"]]:
    """Which rays meet a capsule, a ball where its height is its diameter, and how bright it is."""
    column, top = round_column(rays, view, radius), height - radius
    enters_at = rays.eye + rays.v * column.enter
    side = (enters_at > radius) & (enters_at < top)
    # elsewhere the ray meets the ball at the nearer end, if any
    middle = torch.where(enters_at < radius, radius, top)
    a, above = rays.length.square(), rays.eye - middle
    b = rays.v * above - rays.distance
    root = (b.square() - a * (rays.distance**2 + above.square() - radius.square())).sqrt()
    t = (-b - root) / a
    lamp_x, lamp_y, lamp_z = view.lamp_seen
    lit = rays.u * t * lamp_x + (t - rays.distance) * lamp_y + (above + rays.v * t) * lamp_z
    brightness = shade(
        torch.where(side, column.facing, root / radius) / rays.length,
        torch.where(side, column.lit, lit / radius),
    )
    return side | (root > 0), brightness


def shadow_of_capsule(
    x: Float[Tensor, "h w"],
    y: Float[Tensor, "h w"],
    *,
    view: View,
    radius: Float[Tensor, "n 1 1"],
    height: Float[Tensor, "n 1 1"],
) -> Bool[Tensor, "n h w"]:
    """Whether the ray from the floor to the lamp comes within a radius of the capsule's axis."""
    lamp_x, lamp_y, lamp_z = view.lamp_seen
    along, flat = x * lamp_x + y * lamp_y, 1 - lamp_z**2
    z = (-lamp_z / flat * along).maximum(radius).minimum(height - radius)  # the nearest point's
    gap = x.square() + y.square() - along.square() + z * (2 * lamp_z * along + flat * z)
    return gap < radius.square()


def shadow_of_cylinder(
    x: Float[Tensor, "h w"],
    y: Float[Tensor, "h w"],
    *,
    view: View,
    radius: Float[Tensor, "n 1 1"],
    height: Float[Tensor, "n 1 1"],
) -> Bool[Tensor, "n h w"]:
    """Within a radius of the segment from the axis to the shadow of the top's centre."""
    lamp_x, lamp_y, lamp_z = view.lamp_seen
    length = height * sqrt(1 - lamp_z**2) / lamp_z
    # along the segment and across it, from the axis
    away_x, away_y = (-part / sqrt(1 - lamp_z**2) for part in (lamp_x, lamp_y))
    along, across = x * away_x + y * away_y, x * away_y - y * away_x
    past = along - along.clamp(min=0).minimum(length)
    return past.square() + across.square() < radius.square()


def shadow_of_cube(
    x: Float[Tensor, "h w"], y: Float[Tensor, "h w"], *, view: View, half: Float[Tensor, "n 1 1"]
) -> Bool[Tensor, "n h w"]:
    """Whether the square, on its way to the shadow of the cube's top, passes over the point."""
    low, high = torch.zeros_like(half), torch.ones_like(half)
    for place, lamp in zip(view.to_room(x, y), view.lamp[:2], strict=True):
        way = -2 * half * lamp / view.lamp[2]
        middle, reach = place / way, half / way.abs()
        low, high = torch.maximum(low, middle - reach), torch.minimum(high, middle + reach)
    return low < high
