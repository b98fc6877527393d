"""MPI3D: a robot arm holds an object, 64 x 64 x 3, three sets of 1,036,800 images.

Source: Gondal et al., *On the Transfer of Inductive Bias from Simulation to the Real World: a New
Disentanglement Dataset*, NeurIPS 2019. Rendered simply (toy), realistically, and photographed
(real). Each archive holds `images` (n x 64 x 64 x 3) in the order of the grid, and no labels.
"""

from pathlib import Path

from identikit.core.factors import Kind
from identikit.worlds.grids.data_set import Bytes, DataSet, Original, Stream
from identikit.worlds.grids.grid import Grid, continuous, levelled
from identikit.worlds.grids.npz import open_member

GRID = Grid(
    (
        levelled("colour", ("white", "green", "red", "blue", "brown", "olive")),
        levelled("shape", ("cone", "cube", "cylinder", "hexagonal", "pyramid", "sphere")),
        levelled("size", ("small", "large"), kind=Kind.BINARY),
        levelled("camera_height", ("top", "centre", "bottom"), kind=Kind.ORDINAL),
        levelled("background", ("purple", "sea green", "salmon")),
        continuous("x", 0.0, 39.0, 40),
        continuous("y", 0.0, 39.0, 40),
    )
)
"""x and y: the arm's horizontal and vertical axis, in its 40 equal steps."""


def read(path: Path, data: DataSet) -> Bytes | Stream:
    """The images, mapped where the archive stores them as they are, else as a stream.

    Raises:
        ValueError: an array of another size.
        KeyError: there is no `images`.
    """
    images = open_member(path, "images")
    if images.shape != data.stored_shape:
        raise ValueError(
            f"images has shape {images.shape}; its grid of factors needs {data.stored_shape}"
        )
    return images


def _mpi3d(kind: str, shown: str, md5: str) -> DataSet:
    address = "https://storage.googleapis.com/disentanglement_dataset/Final_Dataset"
    name = f"mpi3d_{kind}.npz"
    return DataSet(
        name=f"mpi3d_{kind}",
        title=f"a robot arm holds an object, {shown} (Gondal et al. 2019)",
        grid=GRID,
        shape=(3, 64, 64),
        originals=(
            Original(
                name=name,
                urls=(f"{address}/{name}",),
                starts_with=b"PK\x03\x04",
                digest=f"md5:{md5}",
            ),
        ),
        read=read,
        note="users report the original address gone; any copy with this checksum is the file",
    )


MPI3D_TOY = _mpi3d("toy", "simple renderings", "55889cb7c7dfc655d6e0277beee88868")
MPI3D_REALISTIC = _mpi3d("realistic", "realistic renderings", "59a6225b88b635365f70c91b3e52f70f")
MPI3D_REAL = _mpi3d("real", "photographs", "0f33f609918fb5c97996692f91129802")
