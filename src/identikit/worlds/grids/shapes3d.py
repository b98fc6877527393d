"""Shapes3D: one shape in a coloured room, 64 x 64 x 3, 480,000 images.

Source: Burgess and Kim, *3D Shapes Dataset*, 2018. The HDF5 file holds `images` (n x 64 x 64 x 3)
and `labels` (n x 6, the values below; there "size" is called scale and "azimuth" orientation).
Hues are a circle: hue 1 would be hue 0.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch

from identikit.worlds.grids.data_set import Bytes, DataSet, Original, Stream
from identikit.worlds.grids.grid import Grid, circular_axis, continuous, levelled

BLOCK = 16 * 2**20
"""Bytes read at once, rounded to whole chunks of the file."""
MOST_IN_CHUNK = 2**28
"""Bytes that may have to be unpacked at once."""
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
"""Others are libraries that HDF5 would look for and load."""
TOLERANCE = 1e-3
"""Of labels, in their unit; the nearest levels are 0.07 apart."""


GRID = Grid(
    (
        circular_axis("floor_hue", 10, period=1.0),
        circular_axis("wall_hue", 10, period=1.0),
        circular_axis("object_hue", 10, period=1.0),
        continuous("size", 0.75, 1.25, 8),
        levelled("shape", ("cube", "cylinder", "sphere", "capsule")),
        continuous("azimuth", -30.0, 30.0, 15),
    )
)
"""Hues in turns of the colour circle, azimuth in degrees from the front."""


def read(path: Path, data: DataSet) -> Bytes | Stream:
    """The images, mapped where the file holds them in one piece, else as a stream.

    Raises:
        ValueError: arrays of other sizes, or labels that do not count through the grid in order.
        KeyError: an array is missing.
        OSError: no HDF5 file, or one cut short.
    """
    with h5py.File(path, "r") as file:
        images, labels = _own(file, "images"), _own(file, "labels")
        if images.shape != data.stored_shape or images.dtype != np.uint8:
            raise ValueError(
                f"images has shape {images.shape} and type {images.dtype}; its grid of factors "
                f"needs {data.stored_shape} of uint8"
            )
        if labels.shape != (data.grid.size, len(data.grid.axes)):
            raise ValueError(f"labels has shape {labels.shape}")
        _check_labels(labels[:], data.grid)
        if images.chunks is None and images.compression is None:
            offset = images.id.get_offset()
            return np.memmap(path, np.uint8, mode="c", offset=offset, shape=data.stored_shape)
        rows = images.chunks[0]
        if math.prod(images.chunks) > MOST_IN_CHUNK:
            raise ValueError(f"images is stored in chunks of {images.chunks}")
    rows *= max(1, BLOCK // (rows * int(np.prod(data.stored_shape[1:]))))
    return Stream(data.stored_shape, _blocks(path, rows))


def _own(file: h5py.File, name: str) -> h5py.Dataset:
    """An array that lies in this very file, unpacked by what HDF5 brings along."""
    link = file.get(name, getlink=True)
    if link is None:
        raise KeyError(f"there is no array {name!r}")
    found = file[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        raise ValueError(f"{name!r} is no array in this file, but points out of it")
    stored = found.id.get_create_plist()
    filters = {stored.get_filter(j)[0] for j in range(stored.get_nfilters())}
    if not filters <= FILTERS:
        raise ValueError(f"{name!r} is packed by filters of other libraries: {filters - FILTERS}")
    return found


def _blocks(path: Path, rows: int) -> Iterator[Bytes]:
    with h5py.File(path, "r") as file:
        images = file["images"]
        for start in range(0, len(images), rows):
            yield images[start : start + rows]


def _check_labels(labels: np.ndarray, grid: Grid) -> None:
    values = grid.values(torch.arange(grid.size)).numpy()
    if labels.shape != values.shape or not np.allclose(labels, values, rtol=0, atol=TOLERANCE):
        raise ValueError("labels does not count through the grid of factors in order")


SHAPES3D = DataSet(
    name="shapes3d",
    title="a shape in a coloured room (Burgess and Kim 2018)",
    grid=GRID,
    shape=(3, 64, 64),
    originals=(
        Original(
            name="3dshapes.h5",
            urls=("https://storage.googleapis.com/3d-shapes/3dshapes.h5",),
            starts_with=b"\x89HDF\r\n\x1a\n",
            digest="sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
            size=267_573_662,
        ),
    ),
    read=read,
)
