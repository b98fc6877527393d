"""The image grids by name."""

import os
from pathlib import Path

import pooch

from identikit.core.errors import unknown_name
from identikit.worlds.grids.cars3d import CARS3D
from identikit.worlds.grids.data_set import DataSet, StoredGrid, Watch
from identikit.worlds.grids.dsprites import DSPRITES
from identikit.worlds.grids.mpi3d import MPI3D_REAL, MPI3D_REALISTIC, MPI3D_TOY
from identikit.worlds.grids.shapes3d import SHAPES3D
from identikit.worlds.grids.smallnorb import SMALLNORB
from identikit.worlds.grids.unpacking import open_images

DATA_SETS: dict[str, DataSet] = {
    data.name: data
    for data in (DSPRITES, SHAPES3D, MPI3D_TOY, MPI3D_REALISTIC, MPI3D_REAL, CARS3D, SMALLNORB)
}
"""Every set that can be read."""


def data_set(name: str) -> DataSet:
    """The set of a name.

    Raises:
        InputError: there is none; the nearest is named.
    """
    if name not in DATA_SETS:
        raise unknown_name("data set", name, DATA_SETS)
    return DATA_SETS[name]


def data_folder() -> Path:
    """Where data sets are kept: the variable IDENTIKIT_DATA, else the user's cache folder."""
    return Path(os.environ.get("IDENTIKIT_DATA") or pooch.os_cache("identikit"))


def home_of(data: DataSet) -> Path:
    """Where `data fetch` puts a set: its file, or its folder of files."""
    folder = data_folder() / data.name
    return folder if data.is_folder else folder / data.originals[0].name


def load_grid(
    name: str,
    path: Path | None = None,
    *,
    cache: Path | None = None,
    on_progress: Watch | None = None,
) -> StoredGrid:
    """A published image grid, memory-mapped; unpacked on its first use where it is compressed.

    Args:
        name: of the set.
        path: its original file, or the folder that holds it (them, for smallnorb); by default
            where `identikit data fetch` put it.
        cache: folder for the unpacked images; by default beside the original.
        on_progress: is told how many bytes of how many are unpacked.

    Raises:
        InputError: an unknown set, files that are missing or damaged or not that set, no space.
    """
    data = data_set(name)
    source = data.place(path or home_of(data))
    stored = open_images(source, data, cache=cache, on_progress=on_progress)
    return StoredGrid(data, stored)
