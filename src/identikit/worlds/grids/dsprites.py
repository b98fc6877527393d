"""dSprites: a white square, ellipse or heart on black, 64 x 64, 737,280 images.

Source: Matthey, Higgins, Hassabis, Lerchner, *dSprites: Disentanglement testing Sprites dataset*,
2017. The archive holds `imgs` (n x 64 x 64, 0 or 1) and `latents_classes` (n x 6: colour, which
is always white, then the factors below). Images become 0 or 255, kept as one bit a pixel.

Orientation is a circle of 2 pi whose level 39 *is* level 0 (0 and 2 pi are both in the file), so
40 levels are 39 orientations; as cosine and sine the two are one target. A square looks alike after
a quarter turn and an ellipse after half of one, and as 39 has neither half nor quarter, such levels
differ by a quarter (2.3 degrees) or half of a step: hardly anything to read an orientation from.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from identikit.core.factors import Kind
from identikit.worlds.grids.data_set import Bytes, DataSet, Original, Stream
from identikit.worlds.grids.grid import Grid, GridFactor, continuous, levelled
from identikit.worlds.grids.npz import open_member, small_array

GRID = Grid(
    (
        levelled("shape", ("square", "ellipse", "heart")),
        continuous("scale", 0.5, 1.0, 6),
        GridFactor(
            name="orientation",
            kind=Kind.CIRCULAR,
            values=torch.linspace(0, 2 * math.pi, 40, dtype=torch.float64),
            period=2 * math.pi,
        ),
        continuous("x", 0.0, 1.0, 32),
        continuous("y", 0.0, 1.0, 32),
    )
)
"""Orientation in radians; x and y as shares of the way from left to right and top to bottom."""


def read(path: Path, data: DataSet) -> Stream:
    """The images as a stream of bits.

    Raises:
        ValueError: arrays of other sizes, other factors in other order, or pixels that are not 0
            or 1.
    """
    levels = small_array(path, "latents_classes", (data.grid.size, 6))
    expected = data.grid.indices(torch.arange(data.grid.size)).numpy()
    if not np.array_equal(levels[:, 1:], expected):
        raise ValueError("latents_classes does not count through the grid of factors in order")
    images = open_member(path, "imgs")
    shape = images.shape
    if shape != (data.grid.size, *data.shape[1:]):
        raise ValueError(f"imgs has shape {shape}, which does not match its factors")
    blocks = images.blocks if isinstance(images, Stream) else iter(np.array_split(images, 64))
    return Stream(data.stored_shape, _packed(blocks))


def _packed(blocks: Iterator[Bytes]) -> Iterator[Bytes]:
    for block in blocks:
        if block.max(initial=0) > 1:
            raise ValueError("imgs holds other values than 0 and 1")
        yield np.packbits(block)


_FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"

DSPRITES = DataSet(
    name="dsprites",
    title="a white shape on black (Matthey et al. 2017)",
    grid=GRID,
    shape=(1, 64, 64),
    originals=(
        Original(
            name=_FILE,
            urls=(
                f"https://raw.githubusercontent.com/deepmind/dsprites-dataset/master/{_FILE}",
                f"https://github.com/google-deepmind/dsprites-dataset/raw/master/{_FILE}",
            ),
            starts_with=b"PK\x03\x04",
        ),
    ),
    read=read,
    bits=True,
    note="orientation 39 is orientation 0; squares and ellipses are symmetric",
)
