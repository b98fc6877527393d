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

from identikit.core.archives import Header, open_archive, read_header, read_numbers
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
    with open_archive(path, streamed=True) as (archive, members):
        info = members[name]
        with archive.open(info) as file:
            header = _header(file, info)
    shape, start = header.shape, header.offset
    if info.compress_type != zipfile.ZIP_STORED:
        return Stream(shape, _stream(path, name))
    with path.open("rb") as raw:
        raw.seek(info.header_offset)
        local = raw.read(_LOCAL_HEADER)
    lengths = np.frombuffer(local, dtype="<u2", count=2, offset=26)  # of name and extra field
    offset = info.header_offset + _LOCAL_HEADER + int(lengths.sum()) + start
    return np.memmap(path, dtype=np.uint8, mode="c", offset=offset, shape=shape)


def small_array(path: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of known shape that is small enough to be read whole.

    Raises:
        KeyError: there is no such array.
        ValueError: it has another shape, or holds Python objects.
    """
    with open_archive(path, streamed=True) as (archive, members):
        info = members[name]
        with archive.open(info) as file:
            header = read_header(file, info.file_size)
            if header.shape != shape:
                raise ValueError(f"{name} has shape {header.shape}, not {shape}")
            return read_numbers(file, header)


def _header(file: IO[bytes] | BufferedIOBase, info: zipfile.ZipInfo) -> Header:
    found = read_header(file, info.file_size)
    if found.dtype != np.uint8 or found.fortran:
        by_column = ", column by column" if found.fortran else ""
        raise ValueError(f"images of type {found.dtype}{by_column}")
    return found


def _stream(path: Path, member: str) -> Iterator[Bytes]:
    with open_archive(path, streamed=True) as (archive, members):
        info = members[member]
        with archive.open(info) as file:
            _header(file, info)
            while content := file.read(BLOCK):
                yield np.frombuffer(content, dtype=np.uint8)
