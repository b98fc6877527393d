"""Arrays inside a NumPy archive (.npz, a zip of .npy files) without loading them.

A stored member lies in the archive byte for byte and is mapped there; a deflated one is read as a
stream. Nothing is unpickled.
"""

import zipfile
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import IO

import numpy as np

from identikit.worlds.grids.data_set import Bytes, Stream

BLOCK = 16 * 2**20
"""Bytes read at once."""
_LOCAL_HEADER = 30


def open_member(path: Path, name: str) -> Bytes | Stream:
    """A uint8 array of an archive, mapped where it is stored, else as a stream.

    Raises:
        KeyError: there is no such array.
        ValueError: an array of another type or order, or one that is cut short.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        with archive.open(info) as file:
            shape, start = _header(file), file.tell()
    if int(np.prod(shape)) != info.file_size - start:
        raise ValueError(f"{name} holds {info.file_size - start:,} bytes, not an array of {shape}")
    if info.compress_type != zipfile.ZIP_STORED:
        return Stream(shape, _stream(path, info.filename))
    with path.open("rb") as raw:
        raw.seek(info.header_offset)
        local = raw.read(_LOCAL_HEADER)
    lengths = np.frombuffer(local, dtype="<u2", count=2, offset=26)  # of name and extra field
    offset = info.header_offset + _LOCAL_HEADER + int(lengths.sum()) + start
    return np.memmap(path, dtype=np.uint8, mode="c", offset=offset, shape=shape)


def small_array(path: Path, name: str) -> np.ndarray:
    """An array that is small enough to be read whole.

    Raises:
        KeyError: there is no such array.
        ValueError: it holds Python objects.
    """
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _header(file: IO[bytes] | BufferedIOBase) -> tuple[int, ...]:
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran_order, dtype = read(file)
    if dtype != np.uint8 or fortran_order:
        raise ValueError(f"images of type {dtype}{', column by column' if fortran_order else ''}")
    return shape


def _stream(path: Path, member: str) -> Iterator[Bytes]:
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        _header(file)
        while content := file.read(BLOCK):
            yield np.frombuffer(content, dtype=np.uint8)
