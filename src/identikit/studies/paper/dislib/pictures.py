"""Images of one run on the device that computes: uint8 until they enter an encoder.

Nothing is copied for a split: a run knows its rows, and images are held once where that is cheap
(all of them on a GPU, up to `HELD` bytes elsewhere), else asked for batch by batch, from the
memory-mapped file or the renderer. n images are (n, c, side, side).
"""

from collections.abc import Iterator
from typing import cast

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.encoders.staged import StagedEncoder
from identikit.worlds.grids.grid import ImageGrid
from identikit.worlds.grids.split import Split

HELD = 1 << 28
"""Bytes of images that are held on a CPU."""
BLOCK = 512
"""Images at a time, unless a step of training asks for more."""


class Pictures:
    """The images of a run by their place in it: training, then validation, then test."""

    def __init__(
        self, images: ImageGrid, split: Split, *, size: int | None, device: torch.device
    ) -> None:
        """Draw or read what is to be held.

        Args:
            images: The world.
            split: Its rows that take part.
            size: Pixels a side to average down to; as they come if not given.
            device: Where the images are needed.

        Raises:
            InputError: a size that does not divide the images' sides.
        """
        self.source, self.device = images, device
        channels, height, width = images.shape
        size = size or height
        if height != width or height % size:
            raise InputError(
                f"images of {height} x {width} pixels cannot be averaged down to {size} x {size}; "
                "the sides must be whole multiples."
            )
        self.shape = (channels, size, size)
        self.rows = torch.cat([split.train, split.validation, split.test])
        sizes = [len(part) for part in (split.train, split.validation, split.test)]
        self.parts = torch.split(torch.arange(len(self.rows)), sizes)
        """Places of the training, the validation and the test images."""
        self.index = images.grid.indices(self.rows)
        """Level of every factor, (n, factors)."""
        small = device.type == "cuda" or len(self.rows) * channels * size**2 <= HELD
        self._held = self._all() if small else None

    def _all(self) -> UInt8[Tensor, "n c side side"]:
        held = torch.empty(len(self.rows), *self.shape, dtype=torch.uint8, device=self.device)
        for places in torch.split(torch.arange(len(self.rows)), BLOCK):
            held[places.to(self.device)] = self.at(self.rows[places])
        return held

    def at(self, rows: Int[Tensor, " n"]) -> UInt8[Tensor, "n c side side"]:
        """The images of some rows of the grid, whether they take part in the run or not."""
        images = self.source.images(rows.to(self.device))
        factor = images.shape[-1] // self.shape[-1]
        return images if factor == 1 else F.avg_pool2d(images.float(), factor).round().byte()

    def __getitem__(self, places: Int[Tensor, " n"]) -> UInt8[Tensor, "n c side side"]:
        if self._held is None:
            return self.at(self.rows[places.cpu()])
        return self._held[places.to(self.device)]


class Seen(nn.Module):
    """An encoder of pictures by their place, so that a batch of training is a list of numbers."""

    def __init__(self, pictures: Pictures, encoder: StagedEncoder) -> None:
        super().__init__()
        self.pictures, self.encoder = pictures, encoder

    def forward(self, places: Int[Tensor, " n"]) -> Float[Tensor, "n d_h"]:
        """H of the pictures at these places."""
        return self.encode(self.pictures[places])

    def encode(self, images: UInt8[Tensor, "n c side side"]) -> Float[Tensor, "n d_h"]:
        """H of any images; in mixed precision on a GPU while it learns."""
        with torch.autocast("cuda", enabled=images.is_cuda and self.training):
            return cast(Tensor, self.encoder(unit(images))).float()

    def blocks(self, places: Int[Tensor, " n"]) -> Iterator[tuple[Tensor, Tensor]]:
        """Places and their h, block by block, without gradients."""
        for block in torch.split(places, BLOCK):
            with torch.no_grad():
                h = self(block)
            yield block, h

    def features(self, places: Int[Tensor, " n"]) -> Float[Tensor, "n d_h"]:
        """The h of all these places, on the CPU."""
        return torch.cat([h.cpu() for _, h in self.blocks(places)])


def unit(images: UInt8[Tensor, "n c side side"]) -> Float[Tensor, "n c side side"]:
    """Bytes as numbers from 0 to 1."""
    return images.float() / 255
