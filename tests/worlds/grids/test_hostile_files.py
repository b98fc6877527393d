"""Original files made to flood, to hang, or to bring in what lies elsewhere."""

import gzip
import os
import struct
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from tests.worlds.grids import originals

from identikit.core.errors import InputError
from identikit.worlds.grids import cars3d, smallnorb
from identikit.worlds.grids.check import check_files
from identikit.worlds.grids.registry import DATA_SETS
from identikit.worlds.grids.unpacking import open_images, read_original
from identikit.worlds.matlab import read_variables

SHAPES = originals.cut(DATA_SETS["shapes3d"], 2, 2, 2, 2, 2, 2)


def test_arrays_that_lie_in_other_files_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    path, _ = originals.write_shapes3d(tmp_path / "own", SHAPES)
    elsewhere = tmp_path / "elsewhere.h5"
    path.rename(elsewhere)

    def by_link(file: h5py.File) -> None:
        file["images"] = h5py.ExternalLink(str(elsewhere), "images")
        file["labels"] = h5py.ExternalLink(str(elsewhere), "labels")

    def by_soft_link(file: h5py.File) -> None:
        file["images"] = h5py.SoftLink("/other")

    def by_storage(file: h5py.File) -> None:
        kinds = {"shape": SHAPES.stored_shape, "dtype": "u1"}
        file.create_dataset("images", external=[(str(elsewhere), 0, 2**20)], **kinds)

    def by_view(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(SHAPES.stored_shape, "u1")
        layout[:] = h5py.VirtualSource(str(elsewhere), "images", SHAPES.stored_shape)
        file.create_virtual_dataset("images", layout)

    for point in (by_link, by_soft_link, by_storage, by_view):
        path.unlink(missing_ok=True)
        with h5py.File(path, "w") as file:
            point(file)
        with pytest.raises(InputError, match="'images' is no array in this file, but points out"):
            read_original(path, SHAPES)


def test_labels_and_chunks_of_absurd_size_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "3dshapes.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("images", SHAPES.stored_shape, "u1", chunks=True)
        file.create_dataset("labels", (2**40, 2**20), "f8", chunks=(1, 1))  # takes no space
    with pytest.raises(InputError, match="labels has shape"):
        read_original(path, SHAPES)
    huge = replace(SHAPES, shape=(3, 2**14, 2**14))
    path.unlink()
    _, _ = originals.write_shapes3d(tmp_path, SHAPES)
    with h5py.File(path, "r+") as file:
        del file["images"]
        file.create_dataset("images", huge.stored_shape, "u1", chunks=(1, 2**14, 2**14, 3))
    with pytest.raises(InputError, match="is stored in chunks of"):
        read_original(path, huge)


def test_filters_that_hdf5_would_look_for_and_load_are_refused(tmp_path: Path) -> None:
    path, _ = originals.write_shapes3d(tmp_path, SHAPES)
    with h5py.File(path, "r+") as file:
        del file["images"]
        file.create_dataset("images", SHAPES.stored_shape, "u1", chunks=True, compression="lzf")
    with pytest.raises(InputError, match=r"filters of other libraries: \{32000\}"):
        read_original(path, SHAPES)


def test_a_variable_that_unpacks_to_more_than_it_may_is_refused() -> None:
    content = originals.mat(im=np.zeros((2**12, 2**12), np.uint8))
    assert len(content) < 2**16
    with pytest.raises(ValueError, match="more than 1,048,576 bytes, unpacked"):
        read_variables(content, ("im",), most=2**20)


@pytest.mark.parametrize("compressed", [True, False])
def test_an_element_that_promises_more_than_there_is_is_refused(compressed: bool) -> None:
    content = bytearray(originals.mat(im=np.arange(100, dtype=np.uint8), compress=False))
    place = content.index(struct.pack("<II", 2, 100)) + 4
    content[place : place + 4] = struct.pack("<I", 2**32 - 8)
    if compressed:
        packed = zlib.compress(content[128:])
        content = content[:128] + struct.pack("<II", 15, len(packed)) + packed
    with pytest.raises(ValueError, match="promises 4,294,967,288 bytes"):
        read_variables(bytes(content), ("im",), most=2**20)


@pytest.mark.parametrize(
    "value", [{"a": 1}, np.array([[{"x": 2}]], object), "text", np.array([True]), 1 + 1j]
)
def test_only_numbers_are_read(value: Any) -> None:
    try:
        found = read_variables(originals.mat(im=value), ("im",), most=2**20)["im"]
        assert found.dtype.kind in "cuif"
    except ValueError as error:
        assert "no array of numbers 'im'; it holds im (" in str(error)  # noqa: PT017 - or it is one


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("sort", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_numbers_of_every_type_are_read(sort: str, compress: bool) -> None:
    value = np.arange(1, 7).reshape(2, 3).astype(sort)
    content = originals.mat(im=value, compress=compress)
    found = read_variables(content, ("im",), most=2**20)["im"]
    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found, value)


def test_members_of_a_tar_that_promise_too_much_are_refused(tmp_path: Path) -> None:
    data = originals.SMALL["cars3d"]
    path = tmp_path / data.originals[0].name

    def write(*members: tuple[str, int, bytes], kind: bytes = tarfile.REGTYPE) -> None:
        with gzip.open(path, "wb") as file:
            for name, size, _ in members:
                info = tarfile.TarInfo(name)
                info.size, info.type = size, kind
                file.write(info.tobuf())

    write((f"{cars3d.FOLDER}/a.mat", 2**34, b""))
    with pytest.raises(InputError, match="cannot be used as cars3d"):
        list(getattr(read_original(path, data), "blocks", ()))
    write((f"{cars3d.FOLDER}/a.mat", 2**34, b""), kind=tarfile.XHDTYPE)
    with pytest.raises(InputError, match=r"a member promises|cannot be used as cars3d"):
        read_original(path, data)


def test_links_in_a_tar_are_no_cars(tmp_path: Path) -> None:
    data = originals.SMALL["cars3d"]
    path = tmp_path / data.originals[0].name
    (tmp_path / "secret.mat").write_bytes(originals.mat(im=np.zeros((4, 4, 3, 2, 2), np.uint8)))
    with tarfile.open(path, "w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo(f"{cars3d.FOLDER}/{kind!r}.mat")
            info.type, info.linkname = kind, str(tmp_path / "secret.mat")
            archive.addfile(info)
    with pytest.raises(InputError, match=r"holds 0 \.mat files"):
        read_original(path, data)


def test_sizes_in_a_binary_matrix_are_bounded(tmp_path: Path) -> None:
    data = DATA_SETS["smallnorb"]
    for file in data.originals:
        words = struct.pack("<6i", 0x1E3D4C54, 1, 2**31 - 1, 1, 1, 0)
        with gzip.open(tmp_path / file.name, "wb") as out:
            out.write(words)
            out.write(bytes(2**20))
    with pytest.raises(InputError, match="promises 8,589,934,588 bytes at once"):
        read_original(tmp_path, data)
    assert smallnorb.MOST == 2**26


@pytest.mark.parametrize("name", sorted(DATA_SETS))
def test_pipes_are_not_waited_for(tmp_path: Path, name: str) -> None:
    data = DATA_SETS[name]
    place = tmp_path / "set"
    if data.is_folder:
        place.mkdir()
    for file, _ in data.files(place):
        os.mkfifo(file)
    for read in (
        lambda: open_images(place, data),
        lambda: check_files(place, name=name),
    ):
        with pytest.raises(InputError, match="is a pipe"):
            read()
