"""One value per sample, from whatever holds it: NumPy, torch, pandas, Arrow, lists.

A `Column` knows booleans, integers, float64 and text, which rows have no value, and the order of
its levels where somebody gave one. Everything else (dates, bytes, lists, complex numbers) keeps its
place with the reason why it cannot be used, so that only those who ask for it hear of it. Values
are converted without loss: no two of them become one.
"""

import contextlib
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from scipy.sparse import issparse
from torch import Tensor

from identikit.core.errors import InputError

NUMBER = r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*"
"""A number in words."""
EXAMPLES = 3
TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
NO_TEXT = "holds bytes that are not UTF-8; give numbers or text."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """n values, or n rows of them, of one sort."""

    values: NDArray[Any]
    """Booleans, integers, float64 or text; of no meaning where they are missing."""
    missing: NDArray[np.bool_]
    """Of the same shape."""
    order: tuple[str, ...] = ()
    """All levels from the lowest, where somebody ordered them."""
    named: bool = False
    """Whether numbers are names, because somebody said so."""
    trouble: str = ""
    """Why it cannot be used, as what follows its name in a sentence."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""
        return self.values.shape

    @property
    def text(self) -> bool:
        """Whether it holds words."""
        return self.values.dtype.kind in "OU"

    def require(self, name: str) -> "Column":
        """Itself, if it can be used.

        Raises:
            InputError: it cannot; the message begins with the name.
        """
        if self.trouble:
            raise InputError(f"{name} {self.trouble}")
        return self

    def take(self, rows: Any) -> "Column":
        """Some rows."""
        return replace(self, values=self.values[rows], missing=self.missing[rows])

    def as_numbers(self) -> "Column | None":
        """The numbers, also those that words stand for; None where one of them is none."""
        if not self.text:
            return self
        there = self.values[~self.missing]
        if self.order or not is_number(there).all():
            return None
        found = there.astype(float)
        whole = bool((found % 1 == 0).all() and (np.abs(found) <= 2**53).all())
        values = np.zeros(self.shape) if not whole else np.zeros(self.shape, np.int64)
        values[~self.missing] = found
        return replace(self, values=values)


def is_number(words: NDArray[Any]) -> NDArray[np.bool_]:
    """Which words are decimal numbers."""
    found = pd.Series(words.astype(object), dtype=object).str.fullmatch(NUMBER)
    return found.to_numpy(dtype=bool)


def as_column(values: Any) -> Column:
    """The values of any container by their position; labels of rows are of no meaning."""
    if isinstance(values, Column):
        return values
    if isinstance(values, Tensor):
        return _from_tensor(values)
    if issparse(values):
        shape = values.shape  # type: ignore[attr-defined]
        return unusable(shape, "is a sparse matrix. Give a dense one: .toarray().")
    if isinstance(values, np.ma.MaskedArray):
        hidden = int(np.ma.getmaskarray(values).sum())
        if hidden:
            return unusable(
                values.shape,
                f"has {hidden} values under a mask. Fill them with NaN, which counts as missing, "
                "or drop those samples.",
            )
        return _from_numpy(values.data)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _from_arrow(values)
    if isinstance(values, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        return _from_pandas(pd.Series(values))
    if isinstance(values, np.ndarray):
        return _from_numpy(values)
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        return _from_numpy(np.asarray(values, dtype=object))
    if isinstance(values, list | tuple):
        return _from_numpy(_from_list(values))
    return _from_numpy(np.asarray(values))


def joined(columns: Sequence[Column]) -> Column:
    """Columns under one another.

    Raises:
        ValueError: text and numbers, or levels in different orders.
    """
    troubled = next((c for c in columns if c.trouble), None)
    if troubled is not None:
        return unusable((sum(len(c.values) for c in columns),), troubled.trouble)
    told = [c for c in columns if not c.missing.all()] or list(columns)
    if len({c.text for c in told}) > 1:
        raise ValueError("holds text in some shards and numbers in others")
    if len({c.order for c in told}) > 1:
        raise ValueError("has levels in different orders in different shards")
    dtype = np.result_type(*(c.values.dtype for c in told)) if not told[0].text else np.dtype("O")
    parts = [
        c.values.astype(dtype) if c.text == told[0].text else np.zeros(c.shape, dtype)
        for c in columns
    ]
    return Column(
        values=np.concatenate(parts),
        missing=np.concatenate([c.missing for c in columns]),
        order=told[0].order,
        named=any(c.named for c in told),
    )


def as_labels(values: Any, *, name: str, n: int) -> Int[Tensor, " n"]:
    """Labels of any sort as numbers from 0, read by position.

    Raises:
        InputError: not one label per sample, or samples without one, counted.
    """
    column = require_labels(as_column(values), name=name, n=n)
    return torch.as_tensor(np.unique(column.values, return_inverse=True)[1].reshape(-1))


def require_labels(column: Column, *, name: str, n: int) -> Column:
    """A column in which each of n samples has a label.

    Raises:
        InputError: not one label per sample, or samples without one, counted.
    """
    column.require(name)
    if column.shape != (n,):
        raise InputError(
            f"{name} must hold one value for each of {n:,} rows; got shape {column.shape}. Pass "
            "values of the same samples."
        )
    if column.missing.any():
        raise InputError(
            f"{name} has no label in {missing_rows(column)}. Label those samples or drop them."
        )
    return column


def as_classes(values: Any, *, name: str, n: int) -> Int[Tensor, " n"]:
    """The number of a class for each of n rows, read by position.

    Raises:
        InputError: not one integer per row.
    """
    column = require_labels(as_column(values), name=name, n=n)
    if column.values.dtype.kind not in "iu":
        sort = "text" if column.text else str(column.values.dtype)
        raise InputError(f"{name} must hold one integer for each of the {n:,} rows; got {sort}.")
    return torch.as_tensor(column.values.astype(np.int64))


def as_mask(values: Any, *, name: str, n: int) -> Bool[Tensor, " n"]:
    """Yes or no for each sample, read by position.

    Raises:
        InputError: not one boolean per sample.
    """
    column = require_labels(as_column(values), name=name, n=n)
    found = column.values
    if column.text or not np.isin(found, (0, 1)).all():
        raise InputError(
            f"{name} must hold True or False for each sample; got "
            f"{', '.join(repr(v) for v in np.unique(found)[:EXAMPLES].tolist())}, ... . Row "
            "numbers become a mask by numpy.isin(numpy.arange(n), rows)."
        )
    return torch.as_tensor(found.astype(bool))


def missing_rows(column: Column) -> str:
    """How many rows have no value, and the first of them."""
    rows = np.flatnonzero(column.missing)
    first = ", ".join(map(str, rows[:EXAMPLES]))
    return f"{len(rows):,} of {len(column.missing):,} rows, first in rows {first}"


def unusable(shape: tuple[int, ...], trouble: str) -> Column:
    """A column that keeps its place, and why it cannot be used."""
    nothing = np.zeros(shape, dtype=bool)
    return Column(values=nothing, missing=nothing, trouble=trouble)


def _from_tensor(values: Tensor) -> Column:
    if values.layout != torch.strided or values.is_quantized or values.is_meta:
        return unusable(
            tuple(values.shape),
            f"is a tensor of {values.dtype} in layout {values.layout} on {values.device}. Give a "
            "dense one on the CPU.",
        )
    values = values.detach().cpu()
    if values.is_floating_point() and values.dtype not in (torch.float16, torch.float32):
        values = values.double()  # bfloat16 and float8, which NumPy does not know
    return _from_numpy(values.numpy())


def _from_numpy(values: NDArray[Any]) -> Column:
    if values.ndim == 0:
        return unusable((), "is one value. Give one for each sample.")
    kind = values.dtype.kind
    if kind in "biu":
        native = values.astype(values.dtype.newbyteorder("="), copy=False)
        return Column(values=native, missing=np.zeros(values.shape, dtype=bool))
    if kind == "f":
        return _from_floats(values)
    if kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            return unusable(values.shape, NO_TEXT)
        kind = "U"
    if kind == "U":
        return Column(values=values, missing=np.char.strip(values) == "")
    if kind == "O" or values.dtype.name.startswith("StringDType"):
        return _from_objects(values.astype(object))
    what = {"M": "dates", "m": "durations", "c": "complex numbers", "V": "records"}
    return unusable(
        values.shape,
        f"holds {what.get(kind, values.dtype)} ({values.dtype}); give numbers or text.",
    )


def _from_list(values: Sequence[Any]) -> NDArray[Any]:
    """As NumPy has it, if that is numbers, all of them exact; else as Python has it."""
    with contextlib.suppress(ValueError, OverflowError):
        found = np.asarray(values)
        if found.dtype.kind in "biu":
            return found
        if found.dtype.kind == "f" and not np.abs(found).max(initial=0) >= 2**53:
            return found
    try:
        return np.array(values, dtype=object)
    except ValueError:  # arrays of several lengths
        found = np.empty(len(values), dtype=object)
        found[:] = [list(each) for each in values]
        return found


def _from_floats(values: NDArray[Any]) -> Column:
    with np.errstate(invalid="ignore", over="ignore"):  # NaN stays NaN; infinity is seen later
        found = values.astype(np.float64)
    if values.dtype.itemsize > found.dtype.itemsize and len(np.unique(values)) > len(
        np.unique(found)
    ):
        return unusable(values.shape, _loses(str(values.dtype)))
    return Column(values=found, missing=np.isnan(found))


def _loses(what: str) -> str:
    return (
        f"holds {what} values of which float64 makes one where they are two. Subtract their mean, "
        "or give a kind that keeps them apart as names: categorical."
    )


def _from_objects(values: NDArray[Any]) -> Column:
    """Python's objects of one sort, whichever it is."""
    flat = values.reshape(-1)
    missing = np.array([_is_missing(v) for v in flat], dtype=bool)
    there = [v for v, gone in zip(flat, missing, strict=True) if not gone]
    sorts = {_sort(v) for v in there}
    if sorts == {"integer", "number"}:
        sorts = {"number"}
    if len(sorts) > 1:
        first = {_sort(v): v for v in reversed(there)}
        examples = " and ".join(f"{sort} ({first[sort]!r:.40})" for sort in sorted(sorts))
        return unusable(values.shape, f"mixes {examples}. Give values of one sort.")
    sort = next(iter(sorts), "number")
    trouble = ""
    found: NDArray[Any]
    if sort == "text":
        found = np.full(len(flat), "", dtype=object)
        found[~missing] = there
    elif sort == "bytes":
        found = np.full(len(flat), "", dtype=object)
        try:
            found[~missing] = [v.decode() for v in there]
        except UnicodeDecodeError:
            trouble = NO_TEXT
    elif sort == "boolean":
        found = np.zeros(len(flat), dtype=bool)
        found[~missing] = there
    elif sort == "integer":
        low, high = min(there), max(there)
        unsigned = low >= 0 and high >= 2**63
        found = np.zeros(len(flat), dtype=np.uint64 if unsigned else np.int64)
        if low < -(2**63) or high >= (2**64 if unsigned else 2**63):
            trouble = f"holds integers beyond 64 bits, such as {high:.3e}. Give smaller ones."
        else:
            found[~missing] = there
    elif sort == "number":
        found = np.full(len(flat), np.nan)
        try:
            found[~missing] = [float(v) for v in there]
        except OverflowError:
            trouble = "holds numbers beyond float64. Give smaller ones."
        if not trouble and len(set(there)) > len(np.unique(found[~missing])):
            trouble = _loses("exact")
    else:
        trouble = f"holds {sort} objects; give numbers or text."
    if trouble:
        return unusable(values.shape, trouble)
    return Column(values=found.reshape(values.shape), missing=missing.reshape(values.shape))


def _is_missing(value: Any) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, str | bytes):
        return not value.strip()
    return isinstance(value, float | np.floating | Decimal) and bool(value != value)


def _sort(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, bool | np.bool_):
        return "boolean"
    if isinstance(value, numbers.Integral):
        return "integer"
    if isinstance(value, numbers.Real | Decimal | np.floating):
        return "number"
    return type(value).__name__


def _from_pandas(values: Any) -> Column:
    kind = values.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return _from_categorical(values.array)
    if isinstance(kind, pd.ArrowDtype):
        return _from_arrow(pa.chunked_array(pa.Array.from_pandas(values)))
    if isinstance(kind, pd.StringDtype):
        return _from_numpy(values.to_numpy(dtype=object))
    if isinstance(kind, pd.SparseDtype):
        return _from_numpy(np.asarray(values))
    if isinstance(kind, np.dtype):
        return _from_numpy(values.to_numpy())
    plain = getattr(kind, "numpy_dtype", None)
    if plain is None:
        return unusable(values.shape, f"holds {kind} values; give numbers or text.")
    missing = values.isna().to_numpy()
    found = _from_numpy(values.to_numpy(dtype=plain, na_value=plain.type(0)))
    return replace(found, missing=missing | found.missing)


def _from_categorical(values: Any) -> Column:
    """Levels in their order, if they have one; else names, be they words or numbers."""
    missing = values.codes < 0
    if not values.ordered:
        levels = as_column(values.categories)
        if levels.trouble:  # dates, intervals: names, once they are levels
            levels = as_column([str(level) for level in values.categories])
        found = levels.values[np.where(missing, 0, values.codes)] if len(levels.values) else missing
        return Column(values=found, missing=missing, named=True)
    order = tuple(str(level) for level in values.categories)
    if len(set(order)) < len(order):
        return unusable(values.shape, "has levels that are the same as text. Rename them.")
    words = np.array([*order, ""], dtype=object)[values.codes]
    return Column(values=words, missing=missing, order=order)


def _from_arrow(values: pa.Array | pa.ChunkedArray) -> Column:
    if isinstance(values, pa.Array):
        values = pa.chunked_array([values])
    kind, n = values.type, len(values)
    if pa.types.is_dictionary(kind):
        return _from_categorical(values.unify_dictionaries().to_pandas().array)
    if pa.types.is_null(kind):
        return Column(values=np.full(n, np.nan), missing=np.ones(n, dtype=bool))
    if pa.types.is_float16(kind):
        values, kind = values.cast(pa.float32()), pa.float32()
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        missing = values.is_null().to_numpy()
        found = _from_numpy(values.fill_null(pa.scalar(0).cast(kind)).to_numpy())
        return replace(found, missing=missing | found.missing)
    if any(is_kind(kind) for is_kind in TEXT):
        blank = pc.equal(pc.utf8_trim_whitespace(values.cast(pa.large_string())), "")
        missing = blank.fill_null(True).to_numpy()
        return Column(values=values.to_numpy(), missing=missing)
    if pa.types.is_decimal(kind):
        return _from_objects(values.to_numpy())
    rows = _rows_of(values)
    if rows is not None:
        return _from_numpy(rows)
    return unusable((n,), f"holds {kind} values; give numbers or text.")


def _rows_of(values: pa.ChunkedArray) -> NDArray[Any] | None:
    """Lists of numbers of one length as a matrix."""
    kind = values.type
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_list(kind) for is_list in lists) or values.null_count:
        return None
    if not (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)):
        return None
    rows = [len(row) for row in values]
    flat = values.combine_chunks().flatten()
    if len(set(rows)) != 1 or not rows[0] or flat.null_count:
        return None
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(rows), -1)
