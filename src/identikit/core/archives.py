"""Arrays in .npy data and .npz archives: what a header promises counts only if the file holds it.

A header is a few words that can promise any size, and a compressed file can expand a
thousandfold. Both are compared with the size of the file, and with the limits here, before
anything is allocated. Nothing is unpickled.
"""

import math
import struct
import tokenize
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader, FileIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from identikit.core.errors import InputError
from identikit.core.files import open_regular

MOST_ARRAYS = 10_000
"""In an archive."""
MOST_DIRECTORY = 2**22
"""Bytes of an archive's table of contents, which is read whole."""
MOST_EXPANDED, MOST_EXPANSION = 2**30, 100
"""Bytes that any compressed file may expand to; above that, this many times its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What .npy data begins with."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    """Whether columns come one after another, not rows."""
    offset: int
    """Bytes before the numbers."""

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes] | BufferedIOBase, size: int) -> Header:
    """The header of .npy data; the file then stands at the numbers.

    Args:
        file: At its beginning.
        size: Bytes of the data in all.

    Raises:
        ValueError: it is damaged, or promises more or less than there is.
    """
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        version = npy.read_magic(file)  # 3.0 is 2.0 with names in UTF-8
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a header of Python 2 is a header
            shape, fortran, dtype = readers.get(version, npy.read_array_header_2_0)(file)
    except (
        *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError),
        *(SyntaxError, RecursionError, MemoryError, tokenize.TokenError, struct.error),
    ) as error:
        raise ValueError(f"its header cannot be read: {error or type(error).__name__}") from None
    if any(isinstance(side, bool) or not 0 <= side < 2**63 for side in shape):
        raise ValueError(f"its header has the shape {shape}")
    found = Header(shape=shape, dtype=dtype, fortran=fortran, offset=file.tell())
    if not dtype.hasobject and (not dtype.itemsize or found.size != size - found.offset):
        raise ValueError(
            f"its header promises {shape} of {dtype}, {found.size:,} bytes, and "
            f"{size - found.offset:,} follow"
        )
    return found


def read_numbers(file: IO[bytes] | BufferedIOBase, header: Header) -> NDArray[Any]:
    """The array whose header was read; not to be written to.

    Raises:
        ValueError: it holds Python objects, or ends too early.
    """
    if header.dtype.hasobject:
        raise ValueError("it holds Python objects")
    content = file.read(header.size)
    flat = np.frombuffer(content, dtype=header.dtype, count=math.prod(header.shape))
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


class _Bounded(BufferedReader):
    """A file of which no more is read at once than a table of contents may have."""

    bounded = True

    def read(self, size: int | None = -1, /) -> bytes:
        if self.bounded and size is not None and size > MOST_DIRECTORY:
            raise ValueError(f"its table of contents has {size:,} bytes")
        return super().read(size)


@contextmanager
def open_archive(
    path: Path, *, streamed: bool = False
) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """An .npz archive and its arrays by name.

    Args:
        path: Of the archive.
        streamed: Whether arrays are read block by block, so that they may expand as they will.

    Raises:
        InputError: too many arrays, two of one name, arrays that are encrypted, compressed in
            another way than NumPy's, or that expand too far.
        ValueError: it is damaged.
        OSError: it cannot be opened.
    """
    with open_regular(path) as opened, _Bounded(FileIO(opened.fileno(), closefd=False)) as raw:
        try:
            archive = zipfile.ZipFile(raw)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeError, struct.error) as error:
            raise ValueError(str(error)) from None
        raw.bounded = False
        with archive:
            members = _arrays(path, archive)
            if not streamed:
                expanded = sum(member.file_size for member in members.values())
                require_expansion(path, expanded, size=path.stat().st_size)
            yield archive, members


def _arrays(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MOST_ARRAYS:
        raise InputError(
            f"{path} holds {len(members):,} arrays; at most {MOST_ARRAYS:,} are read. Stack them "
            "into matrices."
        )
    found: dict[str, zipfile.ZipInfo] = {}
    size = path.stat().st_size
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in found:
            raise InputError(f"{path} holds two arrays {name!r}. Write it again with one.")
        if member.flag_bits & 1:
            raise InputError(f"{name!r} in {path} is encrypted. Write it again without a password.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                f"{name!r} in {path} is compressed by method {member.compress_type}. Write it "
                "with numpy.savez or numpy.savez_compressed."
            )
        if member.compress_type == zipfile.ZIP_STORED and member.file_size > size:
            raise ValueError(f"{name!r} is said to have {member.file_size:,} bytes")
        found[name] = member
    return found


def require_expansion(path: Path, expanded: int, *, size: int) -> None:
    """Refuse a compressed file that would fill the memory.

    Args:
        path: The file, for the message.
        expanded: Bytes that it becomes.
        size: Bytes that it has.

    Raises:
        InputError: more than the limits above.
    """
    if expanded > max(MOST_EXPANDED, MOST_EXPANSION * size):
        raise InputError(
            f"{path} has {size:,} bytes and expands to {expanded:,}: beyond "
            f"{MOST_EXPANDED / 2**30:g} GiB a file may expand {MOST_EXPANSION}-fold. If it is "
            "meant so, store it without compression."
        )
