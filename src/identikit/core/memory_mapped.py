"""Matrices in files: read where they are touched, block by block, and let go of again.

What was touched of a mapped file counts as resident until the system wants the memory back.
`release` gives it back at once, so that a pass over the rows holds a block of them, not the file.
Whatever copies features that may be large goes through `blocks` and `scratch`.
"""

import math
import mmap
import os
import tempfile
import warnings
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, BinaryIO
from weakref import WeakValueDictionary

import numpy as np
import torch
from jaxtyping import Float, Int, Num, Shaped
from numpy.typing import NDArray
from torch import Tensor

from identikit.core.errors import InputError

BLOCK = 1 << 21
"""Numbers in float64 at a time."""
LARGE = 1 << 26
"""Bytes from which scratch space is a file."""

_MAPPINGS: WeakValueDictionary[int, mmap.mmap] = WeakValueDictionary()
"""What may be forgotten, by the address where a tensor's storage starts."""


def map_array(
    file: Path | BinaryIO, *, dtype: Any, shape: tuple[int, ...], offset: int = 0
) -> Shaped[Tensor, "..."]:
    """Numbers in a file as a tensor, row after row; none is read yet.

    Raises:
        ValueError: the file is shorter than that.
        OSError: it cannot be opened.
    """
    if not prod(shape):
        return torch.from_numpy(np.zeros(shape, dtype))
    # copy on write: a tensor may be written to, and the file must not be
    return from_numpy(np.memmap(file, dtype=dtype, mode="c", offset=offset, shape=shape), own=True)


def from_numpy(array: NDArray[Any], *, own: bool = False) -> Shaped[Tensor, "..."]:
    """An array as a tensor over the same memory; one in a file may be forgotten from now on.

    Args:
        array: Any array of numbers that torch knows.
        own: Whether nobody else has the array. Others' private changes cannot be forgotten.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # not writable: nothing here writes to it
        tensor = torch.from_numpy(np.asarray(array))
    mapping = getattr(array, "_mmap", None)
    if isinstance(mapping, mmap.mmap) and (own or getattr(array, "mode", "c") != "c"):
        _MAPPINGS[tensor.untyped_storage().data_ptr()] = mapping
    return tensor


def release(tensor: Tensor) -> None:
    """Give back the memory that holds what was touched of a mapped file; no number changes."""
    mapping = _MAPPINGS.get(tensor.untyped_storage().data_ptr())
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def scratch(shape: tuple[int, ...], dtype: torch.dtype) -> Shaped[Tensor, "..."]:
    """Room for numbers: in memory, or where that is much in a temporary file without a name.

    Raises:
        InputError: no room for the file.
    """
    size = prod(shape) * dtype.itemsize
    if size < LARGE:
        return torch.empty(shape, dtype=dtype)
    with tempfile.TemporaryFile() as file:
        try:
            if hasattr(os, "posix_fallocate"):  # or a full disk would show as a crash later
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError as error:
            raise InputError(
                f"{size / 2**30:.1f} GiB of scratch space are needed and {tempfile.gettempdir()} "
                f"has no room for them: {error.strerror}. Set TMPDIR to a folder that has."
            ) from error
        room = np.memmap(file, dtype=np.uint8, mode="r+", shape=(size,))
    return from_numpy(room, own=True).view(dtype).view(shape)


def rows_at_once(h: Num[Tensor, "n ..."]) -> int:
    """How many rows a block has."""
    return max(1, BLOCK * len(h) // max(1, h.numel()))


def row_blocks(
    h: Num[Tensor, "n ..."], rows: Int[Tensor, " m"] | None = None
) -> Iterator[slice | Int[Tensor, " b"]]:
    """Which rows to take at a time, all or some; what was touched is let go of in between."""
    step = rows_at_once(h)
    for start in range(0, len(h) if rows is None else len(rows), step):
        part = slice(start, start + step)
        yield part if rows is None else rows[part]
        release(h)


def blocks(
    h: Num[Tensor, "n d"], rows: Int[Tensor, " m"] | None = None
) -> Iterator[Float[Tensor, "b d"]]:
    """The rows, all or some, in float64, so many at a time."""
    return (h[part].double() for part in row_blocks(h, rows))


def gathered(
    h: Num[Tensor, "n ..."], rows: Int[Tensor, " m"] | None = None, *, dtype: torch.dtype
) -> Num[Tensor, "m ..."]:
    """A copy of the rows, all or some, in another type and in scratch space."""
    found = scratch((len(h) if rows is None else len(rows), *h.shape[1:]), dtype)
    start = 0
    for part in row_blocks(h, rows):
        block = h[part]
        found[start : start + len(block)] = block
        start += len(block)
        release(found)
    return found


def select_rows(h: Num[Tensor, "n d"], rows: Int[Tensor, " m"]) -> Num[Tensor, "m d"]:
    """A copy of some rows; those of a file go into scratch space."""
    mapped = h.untyped_storage().data_ptr() in _MAPPINGS
    return gathered(h, rows, dtype=h.dtype) if mapped else h[rows]


def projected(
    h: Num[Tensor, "n d"], axes: Float[Tensor, "d r"], *, dtype: torch.dtype
) -> Float[Tensor, "n r"]:
    """The rows times a matrix, multiplied in float64 and kept in scratch space."""
    found, start = scratch((len(h), axes.shape[1]), dtype), 0
    for block in blocks(h):
        found[start : start + len(block)] = block @ axes
        start += len(block)
        release(found)
    return found


def largest(values: Num[Tensor, "n ..."]) -> float:
    """The largest absolute value; NaN where one is NaN or infinite."""
    most = 0.0
    for part in row_blocks(values):
        block = values[part]
        if not block.is_floating_point():
            block = block.double()
        low, high = (end.item() for end in block.aminmax()) if block.numel() else (0.0, 0.0)
        if not math.isfinite(low + high):
            return math.nan
        most = max(most, -low, high)
    return most


def not_finite(values: Num[Tensor, "n ..."]) -> tuple[int, list[int]]:
    """How many values are NaN or infinite, and the first three rows that have any."""
    count, first, start = 0, [], 0
    for part in row_blocks(values):
        block = values[part]
        total = block.sum(dtype=torch.promote_types(block.dtype, torch.float32))
        if not torch.isfinite(total):  # a finite sum has finite terms only
            bad = ~torch.isfinite(block)
            count += int(bad.sum())
            rows = bad.flatten(1).any(dim=1) if bad.ndim > 1 else bad
            first += (start + rows.nonzero().flatten()[:3]).tolist()
        start += len(block)
    return count, first[:3]
