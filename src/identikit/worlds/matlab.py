"""Variables of a MATLAB file of known names: numbers only, and no more of them than are wanted.

scipy allocates what a variable's tags promise, and a compressed variable can promise gigabytes in
kilobytes. So every variable is unpacked up to a limit first, and only numeric ones are read.
"""

import struct
import warnings
import zlib
from collections.abc import Collection
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, matlab

_HEADER = 128
_COMPRESSED, _MATRIX = 15, 14
_NUMERIC = {
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("single", "double"),
}


def read_variables(content: bytes, names: Collection[str], *, most: int) -> dict[str, NDArray[Any]]:
    """The numeric arrays of these names.

    Args:
        content: Of the file.
        names: Of what is wanted.
        most: Bytes that the variables may have, unpacked.

    Raises:
        ValueError: it is damaged, too large, of another kind, or lacks a variable; what it holds
            is named.
        NotImplementedError: it is of MATLAB 7.3.
    """
    file: Any = BytesIO(content)  # which loadmat takes, though its stubs do not say so
    try:
        if not content[:4].count(0):  # MATLAB 4 begins with numbers below 2^24, not with text
            _require_modest(content, most)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a variable that comes twice, for one
            there = {name: sort for name, _, sort in matlab.whosmat(file, appendmat=False)}
            for name in names:
                if there.get(name) not in _NUMERIC:
                    held = ", ".join(f"{n} ({sort})" for n, sort in sorted(there.items()))
                    raise _MissingError(
                        f"no array of numbers {name!r}; it holds {held or 'nothing'}"
                    )
            found = loadmat(file, variable_names=list(names), spmatrix=False, appendmat=False)
    except (NotImplementedError, _MissingError):
        raise
    except Exception as error:  # whatever its parser stumbles over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"cannot be read as a MATLAB file: {reason}") from error
    return {name: np.asarray(found[name]) for name in names}


class _MissingError(ValueError):
    """Readable, but without what is wanted."""


def _require_modest(content: bytes, most: int) -> None:
    """See that every variable holds what its tags promise, and no more than that."""
    order = "<" if content[_HEADER - 2 : _HEADER] == b"IM" else ">"
    place, total = _HEADER, 0
    while place + 8 <= len(content):
        sort, size = struct.unpack_from(f"{order}II", content, place)
        part = content[place + 8 : place + 8 + size]
        if len(part) < size:
            raise ValueError(f"a variable promises {size:,} bytes and {len(part):,} follow")
        if sort == _COMPRESSED:
            part = zlib.decompressobj().decompress(part, most + 1)
        total += len(part)
        if total > most:
            raise ValueError(f"its variables have more than {most:,} bytes, unpacked")
        if sort == _COMPRESSED and part[:4] == struct.pack(f"{order}I", _MATRIX):
            part = part[8:]
        _require_whole(part, order)
        place += 8 + size


def _require_whole(part: bytes, order: str) -> None:
    """See that the elements of a variable end where it ends."""
    place = 0
    while place + 8 <= len(part):
        (word,) = struct.unpack_from(f"{order}I", part, place)
        if word >> 16:  # up to four bytes, within the tag
            place += 8
            continue
        (size,) = struct.unpack_from(f"{order}I", part, place + 4)
        place += 8 + size + -size % 8
        if place - 8 > len(part):
            raise ValueError(f"an element promises {size:,} bytes beyond its variable")
