"""One file as matrices and columns: .npy, .npz, Parquet, safetensors; pickles are never opened.

Matrices have names with a meaning: h (n, d_h) or `features`, x (n, ...). They are only described
here and read later, .npy and safetensors where they are touched. In Parquet h is a column of
lists or many columns of numbers (`h0`, `h1`, ...). All other arrays are columns: factors, keys
and what else is known, the head among them.
"""

import zipfile
import zlib
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
from numpy.lib import format as npy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.memory_mapped import from_numpy, map_array, release, row_blocks, scratch
from identikit.features.paths import FEATURES, SUFFIXES

MATRICES = (*FEATURES, "x")
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")
Columns = dict[str, NDArray[Any]]


class UnreadableError(InputError):
    """A file that is damaged, cut short or not what it says it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Rows of numbers in a file, not read yet."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    load: Callable[[], Num[Tensor, "n ..."]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file holds."""

    path: Path
    matrices: Mapping[str, Matrix] = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)


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
        if path.suffix == ".npy":
            return Content(path=path, matrices={"h": _described_npy(path)})
        if path.suffix == ".npz":
            return _npz(path)
        if path.suffix == ".safetensors":
            return _safetensors(path)
        return _parquet(path, factors_apart=factors_apart)


def require_format(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse other files by their names, pickles above all.

    Raises:
        InputError: a suffix that is not among them.
    """
    if path.suffix in suffixes or not path.exists():  # whoever opens it says that it is missing
        return
    if path.suffix in PICKLES:
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
        yield
    except InputError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
        SafetensorError,
        pa.ArrowException,
    ) as error:
        if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
            words = error.strerror or "No such file or directory"
            raise InputError(f"cannot read {path}: {words}.") from None
        if "Object arrays" in str(error) or "Python objects" in str(error):
            raise _pickled(path, None) from None
        article = "an" if path.suffix.startswith(".n") else "a"
        raise UnreadableError(
            f"{path} is not {article} {path.suffix} file, or was cut short or damaged "
            f"({' '.join(str(error).split())}). Copy or make it again."
        ) from None


def read_array(path: Path) -> NDArray[Any]:
    """A whole .npy file, with the errors of `reading`."""
    with reading(path):
        array: NDArray[Any] = np.load(path, allow_pickle=False)
        return array


def _pickled(path: Path, name: str | None) -> UnreadableError:
    what = f"array {name!r} in {path} is" if name else f"{path} holds"
    return UnreadableError(
        f"{what} a pickled object, which could run any code and is never opened. Save numbers or "
        "fixed-width strings: numpy.asarray(values).astype(str)."
    )


def _described_npy(path: Path) -> Matrix:
    array = npy.open_memmap(path, mode="r")  # reads the header, checks the size
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path} must hold numbers to be features; got {array.dtype}.")
    return Matrix(
        shape=array.shape,
        dtype=_torch_type(array.dtype),
        load=lambda: _mapped_npy(path),
    )


def _mapped_npy(path: Path) -> Tensor:
    array = npy.open_memmap(path, mode="r")
    if array.flags.c_contiguous and array.dtype.isnative:
        found: Tensor = map_array(path, dtype=array.dtype, shape=array.shape, offset=array.offset)
        return found
    found = scratch(array.shape, _torch_type(array.dtype))
    for rows in row_blocks(found):
        found[rows] = torch.from_numpy(
            np.ascontiguousarray(array[rows], dtype=array.dtype.newbyteorder("="))
        )
    return found


def _npz(path: Path) -> Content:
    """Matrices are described by their headers; everything else is read."""
    matrices: dict[str, Matrix] = {}
    columns: Columns = {}
    with path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
        names = {name.removesuffix(".npy"): name for name in archive.namelist()}
        for name, member in names.items():
            with archive.open(member) as file:
                shape, dtype = _npy_header(file)
                if dtype.hasobject:
                    raise _pickled(path, name)
                if name not in MATRICES:
                    columns[name] = _column(path, member)
                    continue
                if dtype.kind not in "biuf":
                    raise InputError(f"{name} in {path} must hold numbers; got {dtype}.")
                matrices[name] = Matrix(
                    shape=shape, dtype=_torch_type(dtype), load=partial(_member, path, member)
                )
    return Content(path=path, matrices=matrices, columns=columns)


def _npy_header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    first = npy.read_magic(file) == (1, 0)
    read = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _column(path: Path, member: str) -> NDArray[Any]:
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        return array


def _member(path: Path, member: str) -> Tensor:
    array = _column(path, member)
    return from_numpy(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")))


def _safetensors(path: Path) -> Content:
    matrices: dict[str, Matrix] = {}
    columns: Columns = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            if name in MATRICES:
                shape = tuple(file.get_slice(name).get_shape())
                dtype = file.get_slice(name)[:0].dtype
                matrices[name] = Matrix(shape=shape, dtype=dtype, load=partial(_tensor, path, name))
            else:
                columns[name] = safetensors_array(file.get_tensor(name))
    return Content(path=path, matrices=matrices, columns=columns)


def _tensor(path: Path, name: str) -> Tensor:
    with safe_open(path, framework="pt") as file:
        found: Tensor = file.get_tensor(name)
        return found


def _parquet(path: Path, *, factors_apart: bool) -> Content:
    with pq.ParquetFile(path) as file:
        schema, n = file.schema_arrow, file.metadata.num_rows
        lists = [f.name for f in schema if _is_list(f.type)]
        groups = {name: [name] for name in lists if name in MATRICES}
        if not set(groups) & set(FEATURES):
            others = [name for name in lists if name not in MATRICES]
            groups |= _features_of(path, schema, others, factors_apart=factors_apart)
        taken = {column for group in groups.values() for column in group}
        rest = [f.name for f in schema if f.name not in taken]
        columns = parquet_columns(file.read(columns=rest))
        matrices = {}
        for name, group in groups.items():
            kind = schema.field(group[0]).type
            width = len(group)
            if _is_list(kind):
                first = next(file.iter_batches(batch_size=1, columns=group), None)
                width = len(first.column(0).flatten()) if first is not None else 0
                kind = kind.value_type
            dtype = _torch_type(np.result_type(kind.to_pandas_dtype()))
            load = partial(_batches, path, group, (n, width), dtype)
            matrices[name] = Matrix(shape=(n, width), dtype=dtype, load=load)
    return Content(path=path, matrices=matrices, columns=columns)


def parquet_columns(table: pa.Table) -> Columns:
    """Columns by name; a named index that pandas saved is one, the numbers of rows are none."""
    frame = table.to_pandas(ignore_metadata=True)
    return {
        str(name): frame[name].to_numpy()
        for name in frame
        if not str(name).startswith("__index_level_")
    }


def safetensors_array(tensor: Tensor) -> NDArray[Any]:
    """As NumPy has it, which does not know bfloat16."""
    array: NDArray[Any] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def _features_of(
    path: Path, schema: pa.Schema, lists: list[str], *, factors_apart: bool
) -> dict[str, list[str]]:
    """The columns that are h: the only one of lists, or those of numbers."""
    numbers = [
        f.name for f in schema if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)
    ]
    counted = [name for name in numbers if name.rstrip("0123456789").rstrip("_.") in FEATURES]
    if len(lists) == 1:
        return {"h": lists}
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
    return found


def _is_list(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_list(kind) for is_list in lists) and (
        pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    )


def _torch_type(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype.newbyteorder("="))).dtype
