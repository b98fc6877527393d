"""Small data sets in exactly the formats of the original files, with random images."""

import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
import torch
from scipy.io import savemat

from identikit.worlds.grids.cars3d import CARS3D
from identikit.worlds.grids.data_set import DataSet
from identikit.worlds.grids.dsprites import DSPRITES
from identikit.worlds.grids.grid import Grid
from identikit.worlds.grids.mpi3d import MPI3D_REAL, MPI3D_REALISTIC, MPI3D_TOY
from identikit.worlds.grids.shapes3d import SHAPES3D
from identikit.worlds.grids.smallnorb import SMALLNORB


def cut(data: DataSet, *sizes: int) -> DataSet:
    """The same set with the first levels of each factor only."""
    axes = (
        replace(axis, values=axis.values[:size], levels=axis.levels[:size])
        for axis, size in zip(data.grid.axes, sizes, strict=True)
    )
    return replace(data, grid=Grid(tuple(axes)))


SMALL = {
    data.name: data
    for data in (
        cut(DSPRITES, 3, 2, 4, 3, 3),
        cut(SHAPES3D, 2, 2, 3, 2, 2, 3),
        cut(MPI3D_TOY, 2, 2, 2, 2, 2, 3, 3),
        cut(MPI3D_REALISTIC, 2, 2, 2, 2, 2, 3, 3),
        cut(MPI3D_REAL, 2, 2, 2, 2, 2, 3, 3),
        cut(CARS3D, 2, 3, 12),
        cut(SMALLNORB, 2, 10, 2, 3, 2),
    )
}


def indices(data: DataSet) -> np.ndarray:
    return data.grid.indices(torch.arange(data.grid.size)).numpy()


def noise(*shape: int, high: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, high, shape, dtype=np.uint8)


def write_dsprites(folder: Path, data: DataSet) -> tuple[Path, np.ndarray]:
    images = noise(data.grid.size, 64, 64, high=2)
    classes = np.column_stack([np.zeros(data.grid.size, np.int64), indices(data)])
    path = folder / data.originals[0].name
    np.savez_compressed(
        path,
        metadata=np.array({"title": "dSprites"}, dtype=object),
        imgs=images,
        latents_classes=classes,
        latents_values=classes.astype(float),
    )
    return path, images[:, None] * 255


def write_shapes3d(folder: Path, data: DataSet, *, chunked: bool = True) -> tuple[Path, np.ndarray]:
    images = noise(data.grid.size, 64, 64, 3)
    values = [
        axis.values.numpy()[i] for axis, i in zip(data.grid.axes, indices(data).T, strict=True)
    ]
    path = folder / data.originals[0].name
    options = {"chunks": (5, 64, 64, 3), "compression": "gzip"} if chunked else {}
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, **options)
        file.create_dataset("labels", data=np.stack(values, axis=1))
    return path, images.transpose(0, 3, 1, 2)


def write_mpi3d(folder: Path, data: DataSet, *, stored: bool = True) -> tuple[Path, np.ndarray]:
    images = noise(data.grid.size, 64, 64, 3)
    path = folder / data.originals[0].name
    (np.savez if stored else np.savez_compressed)(path, images=images)
    return path, images.transpose(0, 3, 1, 2)


def mat(*, compress: bool = True, **variables: np.ndarray) -> bytes:
    """A MATLAB file of these variables."""
    file = io.BytesIO()
    savemat(cast(Any, file), variables, do_compression=compress)
    return file.getvalue()


def write_cars3d(folder: Path, data: DataSet) -> tuple[Path, np.ndarray]:
    elevations, azimuths, cars = data.grid.sizes
    images = noise(cars, 128, 128, 3, azimuths, elevations)
    path = folder / data.originals[0].name
    with tarfile.open(path, "w:gz") as archive:
        for car in (*range(5, cars), *range(5)):  # an archive is in no order
            mask = np.zeros((128, 128, azimuths, elevations), np.uint8)
            content = mat(im=images[car], mask=mask, compress=False)
            _add(archive, f"data/cars/car_{car + 1:03d}_mesh.mat", content)
        _add(archive, "data/cars/list.txt", b"car_001_mesh\n")
        _add(archive, "data/cars/._car_001_mesh.mat", b"what some systems add")
        _add(archive, "data/sprites/sprites_1.mat", b"something else")
    means = images.reshape(cars, 64, 2, 64, 2, 3, azimuths, elevations).mean((2, 4))
    rows = means.transpose(5, 4, 0, 3, 1, 2).reshape(-1, 3, 64, 64)
    return path, np.round(rows).astype(np.uint8)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def write_smallnorb(
    folder: Path, data: DataSet, *, gzipped: bool = True
) -> tuple[Path, np.ndarray]:
    place = folder / "norb"
    place.mkdir()
    images, levels = noise(data.grid.size, 2, 96, 96), indices(data)
    order = np.random.default_rng(1).permutation(data.grid.size)  # the files are shuffled
    for part in ("5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing"):
        toys = [int(digit) for digit in part[2:7]]
        rows = order[np.isin(levels[order, 1], toys)]
        info = levels[rows, 1:] * np.array([1, 1, 2, 1])  # azimuth in tens of degrees
        for name, magic, array in (
            ("dat", 0x1E3D4C55, images[rows]),
            ("cat", 0x1E3D4C54, levels[rows, 0].astype("<i4")),
            ("info", 0x1E3D4C54, info.astype("<i4")),
        ):
            file = place / f"smallnorb-{part}-{name}.mat{'.gz' if gzipped else ''}"
            content = binary_matrix(magic, array)
            file.write_bytes(gzip.compress(content, 1) if gzipped else content)
    # 96 to 64: enlarged twice, then means over 3 x 3
    fine = torch.from_numpy(images[:, :1]).float().repeat_interleave(2, 2).repeat_interleave(2, 3)
    return place, torch.nn.functional.avg_pool2d(fine, 3).round().byte().numpy()


def binary_matrix(magic: int, array: np.ndarray) -> bytes:
    sizes = [*array.shape, 1, 1][: max(3, array.ndim)]
    return np.array([magic, array.ndim, *sizes], "<i4").tobytes() + array.tobytes()


WRITERS: dict[str, Callable[[Path, DataSet], tuple[Path, np.ndarray]]] = {
    "dsprites": write_dsprites,
    "shapes3d": write_shapes3d,
    "mpi3d_toy": write_mpi3d,
    "mpi3d_realistic": write_mpi3d,
    "mpi3d_real": write_mpi3d,
    "cars3d": write_cars3d,
    "smallnorb": write_smallnorb,
}
