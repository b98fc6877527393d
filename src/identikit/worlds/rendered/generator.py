"""Image generators g: z on the unit sphere -> factors of a renderer -> x, grey or colour in [0, 1].

Every coordinate of z moves one factor, linearly and within a range in which no two values look
alike, so g is injective up to the 8 bits of a pixel; it is continuous, because pixels are shares of
what they show. Sprites are hearts that move, grow and turn (half a turn in all); after four
coordinates comes the next heart, in a channel of its own, so that none hides another. Rooms hold a
capsule, whose round edges and shades betray changes far smaller than a pixel: azimuth, size, and
the hues of object, wall and floor, each on an arc of the colour circle.
Shapes: z (n, d), x (n, c, 32, 32).
"""

from math import ceil, pi

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from identikit.core.errors import InputError
from identikit.worlds.rendered.renderer import Renderer
from identikit.worlds.rendered.rooms import Rooms
from identikit.worlds.rendered.sprites import Sprites

SIDE = 32
"""Pixels along each side of an image."""
_SHAPE = {"sprites": "heart", "rooms": "capsule"}
_RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "sprites": {
        "x": (0.0, 1.0),
        "y": (0.0, 1.0),
        "scale": (0.5, 1.0),
        "orientation": (-pi / 2, pi / 2),
    },
    "rooms": {
        "azimuth": (-30.0, 30.0),
        "size": (0.75, 1.25),
        "object_hue": (0.1, 0.9),
        "wall_hue": (0.1, 0.9),
        "floor_hue": (0.1, 0.9),
    },
}
"""What each coordinate of z does as it goes from -1 to 1, in their order."""


class ImageGenerator:
    """A renderer whose factors follow the latents.

    Args:
        kind: "sprites" or "rooms".
        dim: Number of latents d; at most five for rooms.

    Raises:
        InputError: more latents than a room has factors.
    """

    def __init__(self, kind: str, *, dim: int) -> None:
        self.kind, self.dim, self._ranges = kind, dim, _RANGES[kind]
        if kind == "rooms" and dim > len(self._ranges):
            raise InputError(
                f"rooms have {len(self._ranges)} factors that can follow latents, so dim must be "
                f"at most {len(self._ranges)}; got {dim}. Sprites take any number."
            )
        self.objects = ceil(dim / len(self._ranges))
        self._renderer: Renderer = (
            Rooms(resolution=SIDE)
            if kind == "rooms"
            else Sprites(resolution=SIDE, antialiased=True)
        )
        self._columns = [self._renderer.grid.position(name) for name in self._ranges]

    def __call__(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c 32 32"]:
        """Images of latents."""
        images = self._renderer.render(self.values(z))
        return images.reshape(len(z), -1, SIDE, SIDE).float() / 255

    def values(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "m k"]:
        """Factors of every object, as the renderer takes them; objects of one image in a row."""
        full = pad(z, (0, self.objects * len(self._ranges) - self.dim)).clamp(-1, 1)
        full = full.reshape(len(z) * self.objects, len(self._ranges))
        low, high = torch.tensor(list(self._ranges.values()), device=z.device, dtype=z.dtype).T
        shape = self._renderer.grid["shape"].levels.index(_SHAPE[self.kind])
        values = torch.full(
            (len(full), len(self._renderer.grid.axes)), shape, device=z.device, dtype=z.dtype
        )
        values[:, self._columns] = low + (full + 1) / 2 * (high - low)
        return values

    def to(self, device: torch.device | str) -> "ImageGenerator":
        """The same: images are drawn where the latents are."""
        del device
        return self


def sprites(dim: int) -> ImageGenerator:
    """Hearts that move, grow and turn."""
    return ImageGenerator("sprites", dim=dim)


def rooms(dim: int) -> ImageGenerator:
    """A capsule in a room, of at most five latents."""
    return ImageGenerator("rooms", dim=dim)
