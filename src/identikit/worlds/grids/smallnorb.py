"""SmallNORB: photographs of 50 toys, 96 x 96 grey, 48,600 images of its first camera.

Source: LeCun, Huang, Bottou, *Learning Methods for Generic Object Recognition with Invariance to
Pose and Lighting*, CVPR 2004; small NORB v1.0. Training and testing files (24,300 pairs of images
each) are merged: the training toys are instances 4, 6, 7, 8, 9 of each category, the others test.
Of each pair of cameras the first is used. Images are reduced to 64 x 64 by area.

A file is a binary matrix: a little-endian 32-bit magic number for the type, the number of
dimensions, at least three sizes, then the values, the last dimension fastest; gzipped or not.
`dat` is n x 2 x 96 x 96 bytes; `cat` the category; `info` instance, elevation, azimuth in tens of
degrees, and lighting, as 32-bit integers. Rows come shuffled and are sorted into the grid here.
"""

import gzip
import math
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import torch

from identikit.worlds.grids.area import shrunk
from identikit.worlds.grids.data_set import Bytes, DataSet, Original, Stream
from identikit.worlds.grids.grid import Grid, circular_axis, continuous, levelled

CAMERA = 0
BLOCK = 512
"""Images read at once."""
MOST = 2**26
"""Bytes read at once."""
_TYPES = {0x1E3D4C55: np.dtype("u1"), 0x1E3D4C54: np.dtype("<i4")}
GRID = Grid(
    (
        levelled("category", ("animal", "human", "plane", "truck", "car")),
        levelled("instance", 10),
        continuous("elevation", 30.0, 70.0, 9),
        circular_axis("rotation", 18, period=360.0),
        levelled("lighting", 6),
    )
)
"""Elevation and rotation in degrees. Instances are other toys in each category."""


def read(path: Path, data: DataSet) -> Stream:
    """The images of the six files in a folder, as a stream.

    Raises:
        ValueError: a file is missing or of another kind, or images and grid do not match.
        EOFError, OSError: a file is cut short or damaged.
    """
    parts = sorted({file.name.split("-dat")[0] for file in data.originals if "-dat" in file.name})
    rows = [_rows(path, part, data.grid) for part in parts]
    counts = np.bincount(np.concatenate(rows), minlength=data.grid.size)
    if (counts != 1).any():
        raise ValueError(
            f"the grid has {data.grid.size} rows, of which {int((counts == 0).sum())} have no "
            f"image and {int((counts > 1).sum())} several"
        )
    for part, of_part in zip(parts, rows, strict=True):
        with _open(path, f"{part}-dat.mat") as file:
            _header(file, f"{part}-dat.mat", sizes=(len(of_part), 2, None, None))
    return Stream(data.stored_shape, _blocks(path, dict(zip(parts, rows, strict=True)), data))


def _rows(path: Path, part: str, grid: Grid) -> np.ndarray:
    """Row of the grid that each image of a part belongs to."""
    with _open(path, f"{part}-cat.mat") as file:
        (n,) = _header(file, f"{part}-cat.mat", sizes=(None,))
        category = _values(file, f"{part}-cat.mat", np.dtype("<i4"), n)
    with _open(path, f"{part}-info.mat") as file:
        _header(file, f"{part}-info.mat", sizes=(n, 4))
        info = _values(file, f"{part}-info.mat", np.dtype("<i4"), 4 * n).reshape(n, 4)
    instance, elevation, tens_of_degrees, lighting = info.T
    levels = np.stack([category, instance, elevation, tens_of_degrees // 2, lighting], axis=1)
    return grid.rows(torch.from_numpy(levels.astype(np.int64))).numpy()


def _blocks(path: Path, rows: dict[str, np.ndarray], data: DataSet) -> Iterator[Bytes]:
    """All images, sorted in memory: 199 MB at 64 x 64."""
    images = np.empty(data.stored_shape, dtype=np.uint8)
    for part, of_part in rows.items():
        with _open(path, f"{part}-dat.mat") as file:
            sizes = _header(file, f"{part}-dat.mat", sizes=(len(of_part), 2, None, None))
            pair = math.prod(sizes[1:])
            for start in range(0, len(of_part), BLOCK):
                here = of_part[start : start + BLOCK]
                pairs = _values(file, f"{part}-dat.mat", np.dtype("u1"), len(here) * pair)
                pairs = pairs.reshape(len(here), *sizes[1:])[:, CAMERA, :, :, None]
                images[here] = shrunk(torch.from_numpy(pairs.copy()), data.shape[1]).numpy()
            if file.read(1):  # or gzip's checksum is compared
                raise ValueError(f"{part}-dat.mat is longer than its sizes say")
    yield images


def _open(folder: Path, name: str) -> BufferedIOBase:
    """A file of the set, gzipped or not."""
    plain, gzipped = folder / name, folder / f"{name}.gz"
    if plain.is_file():
        return plain.open("rb")
    if gzipped.is_file():
        return gzip.GzipFile(gzipped)
    raise ValueError(f"there is neither {gzipped.name} nor {name} in the folder")


def _header(file: BufferedIOBase, name: str, *, sizes: tuple[int | None, ...]) -> tuple[int, ...]:
    """Sizes of a binary matrix, which must be these where one is given."""
    magic, dimensions = _values(file, name, np.dtype("<i4"), 2).tolist()
    wanted = np.dtype("u1") if len(sizes) == 4 else np.dtype("<i4")
    if _TYPES.get(magic) != wanted or dimensions != len(sizes):
        raise ValueError(
            f"{name} begins with {magic:#x} and {dimensions} dimensions; it should be a binary "
            f"matrix of {wanted} with {len(sizes)}"
        )
    found = tuple(_values(file, name, np.dtype("<i4"), max(3, dimensions)).tolist()[:dimensions])
    if any(want not in (None, got) or got < 1 for want, got in zip(sizes, found, strict=True)):
        raise ValueError(f"{name} has sizes {found}, not {sizes}")
    return found


def _values(file: BufferedIOBase, name: str, dtype: np.dtype, count: int) -> np.ndarray:
    if count * dtype.itemsize > MOST:
        raise ValueError(f"{name} promises {count * dtype.itemsize:,} bytes at once")
    content = file.read(count * dtype.itemsize)
    if len(content) < count * dtype.itemsize:
        raise EOFError(f"{name} ends too early")
    return np.frombuffer(content, dtype=dtype)


_ADDRESS = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small"
_FILES = {
    "5x46789x9x18x6x2x96x96-training-dat": (
        131_896_188,
        "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
    ),
    "5x46789x9x18x6x2x96x96-training-cat": (
        348,
        "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
    ),
    "5x46789x9x18x6x2x96x96-training-info": (
        71_052,
        "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
    ),
    "5x01235x9x18x6x2x96x96-testing-dat": (
        130_799_817,
        "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
    ),
    "5x01235x9x18x6x2x96x96-testing-cat": (
        347,
        "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
    ),
    "5x01235x9x18x6x2x96x96-testing-info": (
        10_428,
        "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
    ),
}

SMALLNORB = DataSet(
    name="smallnorb",
    title="photographs of toys (LeCun, Huang, Bottou 2004)",
    grid=GRID,
    shape=(1, 64, 64),
    originals=tuple(
        Original(
            name=f"smallnorb-{stem}.mat.gz",
            urls=(f"{_ADDRESS}/smallnorb-{stem}.mat.gz",),
            starts_with=b"\x1f\x8b",
            digest=f"sha256:{sha256}",
            size=size,
        )
        for stem, (size, sha256) in _FILES.items()
    ),
    read=read,
    note="the first camera of each pair; training and testing toys together",
)
