"""One file as matrices and columns: .npy, .npz, Parquet, safetensors; pickles are never opened.

Matrices have names with a meaning: h (n, d_h) or `features`, x (n, ...). They are only described
here and read later, .npy and safetensors where they are touched. In Parquet h is a column of
lists or many columns of numbers (`h0`, `h1`, ..., in the order of their numbers). The classifier
that was trained on h is its head. All other arrays are columns: factors, keys and what else is
known.
"""

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Num
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from identikit.core.archives import (
    Header,
    open_archive,
    read_header,
    read_numbers,
    require_expansion,
)
from identikit.core.errors import InputError
from identikit.core.files import open_regular, require_regular
from identikit.core.memory_mapped import from_numpy, map_array, release, row_blocks, scratch
from identikit.features.columns import Column, as_column, unusable
from identikit.features.paths import FEATURES, SUFFIXES, suffix_of

MATRICES = (*FEATURES, "x")
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")
HEAD = ("W", "head_class", "class_vectors")
"""Names of arrays that are not about samples but about the classifier on h."""
PICKLED = (
    "is a pickled object, which could run any code and is never opened. Save numbers or "
    "fixed-width strings: numpy.asarray(values).astype(str)."
)
CHUNK = 2**24
"""Bytes read at once."""
Columns = dict[str, Column]


class UnreadableError(InputError):
    """A file that is damaged, cut short or not what it says it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Rows of numbers in a file, not read yet."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    load: Callable[[], Num[Tensor, "n ..."]]
    names: tuple[str, ...] = ()
    """Of its columns, where they have any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file holds."""

    path: Path
    matrices: Mapping[str, Matrix] = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)
    """Arrays of the classifier by their names in `HEAD`."""


def read_file(path: Path, *, factors_apart: bool = False) -> Content:
    """Describe a file of features and read its columns.

    Args:
        path: The file; its suffix says what it is.
        factors_apart: Whether factors come from elsewhere, so that all columns of numbers of a
            Parquet file that has no others for h are h.

    Raises:
        InputError: a file that is missing or of no such kind.
        UnreadableError: one that is empty, cut short, damaged or a pickle.
    """
    require_format(path, SUFFIXES)
    with reading(path):
        if not path.stat().st_size:
            raise UnreadableError(f"{path} is empty.")
        kind = suffix_of(path)
        if kind == ".npy":
            return Content(path=path, matrices={"h": _described_npy(path)})
        if kind == ".npz":
            return _npz(path)
        if kind == ".safetensors":
            return _safetensors(path)
        return _parquet(path, factors_apart=factors_apart)


def require_format(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse other files by their names, pickles above all.

    Raises:
        InputError: a suffix that is not among them.
    """
    if suffix_of(path) in suffixes or not path.exists():  # who opens it says that it is missing
        return
    if suffix_of(path) in PICKLES:
        raise InputError(
            f"{path} is a pickle by its name, which could run any code and is never opened. Save "
            "the numbers with numpy.save or safetensors.torch.save_file and give that file."
        )
    raise InputError(f"{path} is no file that can be read; give one of {', '.join(suffixes)}.")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say which file could not be read, and why.

    Raises:
        InputError: it is not there or may not be read.
        UnreadableError: it is damaged.
    """
    try:
        require_regular(path)
        yield
    except InputError:
        raise
    except (
        *(OSError, EOFError, ValueError, KeyError, TypeError, OverflowError, RuntimeError),
        *(MemoryError, zipfile.BadZipFile, zlib.error, SafetensorError, pa.ArrowException),
    ) as error:
        if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
            words = error.strerror or "No such file or directory"
            raise InputError(f"cannot read {path}: {words}.") from None
        kind = suffix_of(path)
        article = "an" if kind.startswith(".n") else "a"
        words = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableError(
            f"{path} is not {article} {kind} file, or was cut short or damaged ({words}). Copy or "
            "make it again."
        ) from None


def read_array(path: Path) -> NDArray[Any]:
    """A whole .npy file, with the errors of `reading`."""
    with reading(path), open_regular(path) as file:
        header = read_header(file, path.stat().st_size)
        if header.dtype.hasobject:
            raise UnreadableError(f"{path} {PICKLED}")
        return read_numbers(file, header)


def _described_npy(path: Path) -> Matrix:
    with open_regular(path) as file:
        header = read_header(file, path.stat().st_size)
    if header.dtype.hasobject:
        raise UnreadableError(f"{path} {PICKLED}")
    _require_numbers(str(path), header)
    return Matrix(
        shape=header.shape,
        dtype=_torch_type(header.dtype),
        load=partial(_mapped_npy, path, header),
    )


def _require_numbers(name: str, header: Header) -> None:
    if header.dtype.kind not in "biuf":
        raise InputError(f"{name} must hold numbers to be features; got {header.dtype}.")


def _mapped_npy(path: Path, header: Header) -> Tensor:
    if not header.fortran and _numpy_type(header.dtype) == header.dtype:
        mapped: Tensor = map_array(
            path, dtype=header.dtype, shape=header.shape, offset=header.offset
        )
        return mapped
    array = np.memmap(
        path,
        dtype=header.dtype,
        mode="r",
        shape=header.shape,
        offset=header.offset,
        order="F" if header.fortran else "C",
    )
    found = scratch(header.shape, _torch_type(header.dtype))
    for rows in row_blocks(found):
        with np.errstate(invalid="ignore", over="ignore"):  # not finite is seen later
            block = np.ascontiguousarray(array[rows], dtype=_numpy_type(header.dtype))
        found[rows] = torch.from_numpy(block)
    return found


def _npz(path: Path) -> Content:
    """Matrices are described by their headers; everything else is read."""
    matrices: dict[str, Matrix] = {}
    columns: Columns = {}
    head: dict[str, Any] = {}
    with open_archive(path) as (archive, members):
        for name, member in members.items():
            with archive.open(member) as file:
                header = read_header(file, member.file_size)
                if name in MATRICES:
                    if header.dtype.hasobject:
                        raise UnreadableError(f"array {name!r} in {path} {PICKLED}")
                    _require_numbers(f"{name} in {path}", header)
                    matrices[name] = Matrix(
                        shape=header.shape,
                        dtype=_torch_type(header.dtype),
                        load=partial(_member, path, name),
                    )
                elif header.dtype.hasobject:
                    columns[name] = unusable(header.shape, f"in {path} {PICKLED}")
                elif name in HEAD:
                    head[name] = read_numbers(file, header)
                else:
                    columns[name] = as_column(read_numbers(file, header))
    return Content(path=path, matrices=matrices, columns=columns, head=head)


def _member(path: Path, name: str) -> Tensor:
    """A matrix of an archive, unpacked bit by bit into scratch space."""
    with open_archive(path) as (archive, members), archive.open(members[name]) as file:
        header = read_header(file, members[name].file_size)
        if header.fortran or _numpy_type(header.dtype) != header.dtype:
            array = read_numbers(file, header)
            return from_numpy(np.ascontiguousarray(array, dtype=_numpy_type(header.dtype)))
        found = scratch(header.shape, _torch_type(header.dtype))
        room = found.view(-1).view(torch.uint8).numpy()
        for start in range(0, header.size, CHUNK):
            part = room[start : start + CHUNK]
            content = file.read(len(part))
            if len(content) < len(part):
                raise EOFError(f"{name} ends too early")
            part[:] = np.frombuffer(content, np.uint8)
            release(found)
        return found


def _safetensors(path: Path) -> Content:
    matrices: dict[str, Matrix] = {}
    columns: Columns = {}
    head: dict[str, Any] = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            if name in MATRICES:
                shape = tuple(file.get_slice(name).get_shape())
                dtype = file.get_slice(name)[:0].dtype if shape else torch.float32
                matrices[name] = Matrix(
                    shape=shape, dtype=_common_type(dtype), load=partial(_tensor, path, name)
                )
            elif name in HEAD:
                head[name] = file.get_tensor(name)
            else:
                columns[name] = as_column(file.get_tensor(name))
    return Content(path=path, matrices=matrices, columns=columns, head=head)


def _tensor(path: Path, name: str) -> Tensor:
    with safe_open(path, framework="pt") as file:
        found: Tensor = file.get_tensor(name)
        return found.to(_common_type(found.dtype))


def _common_type(dtype: torch.dtype) -> torch.dtype:
    """float32 for numbers of eight bits, which torch can hardly count with; yes is 1."""
    if dtype == torch.bool:
        return torch.uint8
    return torch.float32 if dtype.is_floating_point and dtype.itemsize == 1 else dtype


def _parquet(path: Path, *, factors_apart: bool) -> Content:
    with pq.ParquetFile(path) as file:
        schema, n = file.schema_arrow, file.metadata.num_rows
        require_unlike(path, schema.names)
        require_expansion(path, n * _row_bytes(schema), size=path.stat().st_size)
        lists = [f.name for f in schema if _is_list(f.type)]
        groups = {name: [name] for name in lists if name in MATRICES}
        if not set(groups) & set(FEATURES):
            others = [name for name in lists if name not in MATRICES]
            groups |= _features_of(path, schema, others, factors_apart=factors_apart)
        taken = {column for group in groups.values() for column in group}
        rest = [f.name for f in schema if f.name not in taken]
        columns = _columns_of(file.read(columns=rest))
        matrices = {}
        for name, group in groups.items():
            kinds = [schema.field(each).type for each in group]
            width, names = len(group), tuple(group)
            if _is_list(kinds[0]):
                first = next(file.iter_batches(batch_size=1, columns=group), None)
                width = len(first.column(0).flatten()) if first is not None else 0
                kinds, names = [kinds[0].value_type], ()
            dtype = _torch_type(np.result_type(*(kind.to_pandas_dtype() for kind in kinds)))
            load = partial(_batches, path, group, (n, width), dtype)
            matrices[name] = Matrix(shape=(n, width), dtype=dtype, load=load, names=names)
    return Content(path=path, matrices=matrices, columns=columns)


def _row_bytes(schema: pa.Schema) -> int:
    """Of a row in memory at least: columns of one repeated value take no room on the disk."""
    return sum(f.type.bit_width // 8 if pa.types.is_primitive(f.type) else 1 for f in schema)


def require_unlike(path: Path, names: list[str]) -> None:
    """Refuse a table with two columns of one name.

    Raises:
        InputError: it has such.
    """
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(
            f"{path} has {names.count(twice[0])} columns called {twice[0]!r}. Rename them or "
            "leave one out."
        )


def read_parquet_table(path: Path) -> Columns:
    """All columns of a Parquet file, with the errors of `reading`.

    Raises:
        InputError: two columns of one name, or more rows than may be.
    """
    with reading(path), pq.ParquetFile(path) as file:
        schema, n = file.schema_arrow, file.metadata.num_rows
        require_unlike(path, schema.names)
        require_expansion(path, n * _row_bytes(schema), size=path.stat().st_size)
        return _columns_of(file.read())


def _columns_of(table: pa.Table) -> Columns:
    """Columns by name; a named index that pandas saved is one, the numbers of rows are none."""
    return {
        name: as_column(column)
        for name, column in zip(table.column_names, table.columns, strict=True)
        if not name.startswith("__index_level_")
    }


def _features_of(
    path: Path, schema: pa.Schema, lists: list[str], *, factors_apart: bool
) -> dict[str, list[str]]:
    """The columns that are h: the only one of lists, or those of numbers."""
    numbers = [
        f.name for f in schema if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)
    ]
    if len(lists) == 1:
        return {"h": lists}
    counted = _counted(path, numbers)
    if counted:
        return {"h": counted}
    floats = [name for name in numbers if pa.types.is_floating(schema.field(name).type)]
    if factors_apart and floats:
        return {"h": floats}
    raise InputError(
        f"{path} does not say which of its columns are features: {', '.join(schema.names[:12])}. "
        "Name a column of lists h, or columns of numbers h0, h1, ...; or give the factors in a "
        "table of their own, and all columns of decimal numbers are features."
    )


def _counted(path: Path, names: list[str]) -> list[str]:
    """h0, h1, ..., h10 in the order of their numbers."""
    parts = {name: re.fullmatch(rf"({'|'.join(FEATURES)})[_.]?(\d*)", name) for name in names}
    found = {name: (part[1], int(part[2] or -1)) for name, part in parts.items() if part}
    if len({stem for stem, _ in found.values()}) > 1 or len(set(found.values())) < len(found):
        raise InputError(
            f"{path} has columns {', '.join(list(found)[:6])}, ... of which nobody can say how "
            "they are one matrix. Call them h0, h1, ...."
        )
    return sorted(found, key=lambda name: found[name])


def _batches(path: Path, group: list[str], shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """Columns of a Parquet file as a matrix, so many rows at a time."""
    found, start = scratch(shape, dtype), 0
    with reading(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=4096, columns=group):
            rows = slice(start, start + batch.num_rows)
            if any(column.null_count for column in batch.columns):
                raise InputError(f"{path} has rows {start} to {rows.stop} with missing features.")
            if _is_list(batch.schema.field(0).type):
                values = batch.column(0).flatten()
                if values.null_count:
                    raise InputError(
                        f"{path} has missing values in the lists of column {group[0]!r} between "
                        f"rows {start} and {rows.stop}."
                    )
                if len(values) != batch.num_rows * shape[1]:
                    raise InputError(
                        f"{path} has lists of different lengths in column {group[0]!r} between "
                        f"rows {start} and {rows.stop}; features need one length ({shape[1]})."
                    )
                block = values.to_numpy(zero_copy_only=False).reshape(-1, shape[1])
            else:
                named = {name: batch.column(batch.schema.get_field_index(name)) for name in group}
                block = np.stack([named[name].to_numpy(zero_copy_only=False) for name in group], 1)
            found[rows] = torch.from_numpy(np.array(block))
            release(found)
            start = rows.stop
        if start != len(found):
            raise EOFError(f"{start:,} rows of {len(found):,}")
    return found


def _is_list(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_list(kind) for is_list in lists) and (
        pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    )


def _numpy_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """In this machine's order of bytes, and of eight bytes at most, as torch has it; yes is 1."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(np.float64) if dtype.itemsize > 8 else dtype.newbyteorder("=")


def _torch_type(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, _numpy_type(dtype))).dtype
