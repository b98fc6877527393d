"""Cars3D: 183 models of cars from 4 elevations and 24 azimuths, 17,568 images.

Source: Reed, Zhang, Zhang, Lee, *Deep Visual Analogy-Making*, NeurIPS 2015, from renderings of
Fidler, Dickinson, Urtasun 2012. The archive holds a MATLAB file for every car with `im` (128 x 128
x 3 x 24 x 4: height, width, colour, azimuth, elevation). Cars are counted in the order of their
file names; images are reduced to 64 x 64 by area, which is the mean of 2 x 2 pixels.
"""

import gzip
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from identikit.core.files import open_regular
from identikit.worlds.grids.area import shrunk
from identikit.worlds.grids.data_set import Bytes, DataSet, Original, Stream
from identikit.worlds.grids.grid import Grid, circular_axis, continuous, levelled
from identikit.worlds.matlab import read_variables

FOLDER = "data/cars"
CHUNK = 2**20
MOST = 2**26
"""Bytes of a car's file, packed and unpacked; they have a sixteenth of that."""
GRID = Grid(
    (
        continuous("elevation", 0.0, 3.0, 4),
        circular_axis("azimuth", 24, period=360.0),
        levelled("car", 183),
    )
)
"""Azimuth in degrees; elevation in steps, whose angle the source does not state."""


def read(path: Path, data: DataSet) -> Stream:
    """The images as a stream; the archive is gone through once for names and once for images.

    Raises:
        ValueError: another number of cars, or images of another size.
        TarError, EOFError: no such archive, or one cut short.
    """
    with _opened(path) as archive:
        names = sorted(member.name for member in archive if _is_car(member))
    cars = data.grid["car"].size
    if len(names) != cars:
        raise ValueError(f"{FOLDER} holds {len(names)} .mat files; the grid has {cars} cars")
    return Stream(data.stored_shape, _blocks(path, names, data))


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive, gzipped or not, of which no more is read at once than a car has."""
    with open_regular(path) as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with tarfile.open(fileobj=_Bounded(raw) if packed else raw, mode="r:") as archive:
            yield archive


class _Bounded(gzip.GzipFile):
    def __init__(self, raw: BufferedReader) -> None:
        super().__init__(fileobj=raw)

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= MOST:
            raise ValueError(f"a member promises {size:,} bytes; at most {MOST:,} are read")
        return super().read(size)


def _is_car(member: tarfile.TarInfo) -> bool:
    place = PurePosixPath(member.name)
    named = place.suffix == ".mat" and not place.name.startswith(".")
    return member.isfile() and named and str(place.parent).endswith(FOLDER)


def _blocks(path: Path, names: list[str], data: DataSet) -> Iterator[Bytes]:
    """One block for each elevation and azimuth; the cars are the fastest factor."""
    all_views = np.empty(data.stored_shape, dtype=np.uint8)
    by_car = all_views.reshape(-1, len(names), *data.stored_shape[1:])
    with _opened(path) as archive:
        for member in archive:
            if _is_car(member):
                if member.size > MOST:
                    raise ValueError(f"{member.name} promises {member.size:,} bytes")
                content = archive.extractfile(member)
                assert content is not None  # a regular file
                by_car[:, names.index(member.name)] = _views(content.read(), member.name, data)
        while archive.fileobj is not None and archive.fileobj.read(CHUNK):
            pass  # gzip's checksum is at the very end
    yield from by_car


def _views(content: bytes, name: str, data: DataSet) -> Bytes:
    """Images of one car, by elevation and then azimuth."""
    try:
        images = read_variables(content, ("im",), most=MOST)["im"]
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"{name}: {error}") from error
    elevations, azimuths, _ = data.grid.sizes
    if images.dtype != np.uint8 or images.shape[2:] != (3, azimuths, elevations):
        raise ValueError(
            f"im of {name} has shape {images.shape} and type {images.dtype}; the grid needs "
            f"height x width x 3 x {azimuths} x {elevations} of uint8"
        )
    views = torch.from_numpy(images.transpose(4, 3, 0, 1, 2).copy())
    return shrunk(views.flatten(0, 1), data.shape[1]).numpy()


CARS3D = DataSet(
    name="cars3d",
    title="models of cars (Reed et al. 2015)",
    grid=GRID,
    shape=(3, 64, 64),
    originals=(
        Original(
            name="nips2015-analogy-data.tar.gz",
            urls=("http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",),
            starts_with=b"\x1f\x8b",
            digest="md5:4e866a7919c1beedf53964e6f7a23686",
        ),
    ),
    read=read,
)
