"""Tables of factors (CSV, Parquet, .npz, .npy, safetensors) and their rows in the order of keys."""

import csv
import gzip
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from identikit.core.archives import MOST_EXPANDED
from identikit.core.errors import InputError, look_alikes, unknown_name
from identikit.core.files import open_regular
from identikit.features.columns import Column, as_column, is_number, missing_rows, unusable
from identikit.features.inputs import SAVED_INDEX
from identikit.features.paths import suffix_of
from identikit.features.read import (
    Columns,
    UnreadableError,
    read_array,
    read_file,
    read_parquet_table,
    reading,
    require_format,
    require_unlike,
)

if TYPE_CHECKING:
    Keys = pd.Index[str]
else:  # without parameters in pandas 2
    Keys = pd.Index
TEXTS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
SUFFIXES = (*TEXTS, ".parquet", ".npz", ".npy", ".safetensors")
SEPARATORS = (",", ";", "\t", "|")
NO_NUMBERS = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-")
"""What stands for a missing number; in a column of words these are words."""
YES, NO = ("True", "true", "TRUE"), ("False", "false", "FALSE")
EXAMPLES = 3
SNIFFED = 20
"""Rows by which the separator is told."""
BLOCK = 2**24
"""Bytes that are parsed at a time, more than any row has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The columns of a table by their names."""

    columns: Columns
    notes: tuple[str, ...] = ()
    """What was left out, and why."""


def read_table(path: Path, *, key: str | None = None, rows: int | None = None) -> Table:
    """Read a table; a bare matrix is called z.

    Columns that are not of as many rows as the others can be left alone, and cannot be used.

    Args:
        path: The table; its suffix says what it is.
        key: A column of text, whatever it looks like: 0012 is not 12.
        rows: How many rows there should be, where there is no key to say it.

    Raises:
        InputError: a file that cannot be read, without that column or with two of one name.
    """
    require_format(path, SUFFIXES)
    with reading(path):
        if not path.stat().st_size:
            raise UnreadableError(f"{path} is empty.")
        columns = _read(path, key)
    notes = []
    for name in [name for name in columns if re.fullmatch(SAVED_INDEX, name) and name != key]:
        del columns[name]
        notes.append(
            f"{path.name}: the column {name!r} is left out, an index that was saved without a name"
        )
    if key is not None and key not in columns:
        raise unknown_name(f"column of {path}", key, columns)
    n = rows if key is None else columns[key].shape[:1]
    return Table(columns=_of_one_length(path, columns, n), notes=tuple(notes))


def _of_one_length(path: Path, columns: Columns, n: Any) -> Columns:
    """Those of another length cannot be used, if some have the right one."""
    lengths = {name: column.shape[:1] for name, column in columns.items()}
    n = (n,) if isinstance(n, int) else n
    if len(set(lengths.values())) <= 1 and () not in lengths.values():
        return columns
    if n not in lengths.values():
        shapes = {name: column.shape for name, column in columns.items()}
        raise InputError(f"{path} must have one value per row in each column; got {shapes}.")
    return {
        name: column
        if lengths[name] == n
        else unusable(
            n,
            f"has shape {column.shape} in {path}, where others have {n[0]:,} rows. Give one value "
            "per row, or name the factors to read (only).",
        )
        for name, column in columns.items()
    }


def _read(path: Path, key: str | None) -> Columns:
    kind = suffix_of(path)
    if kind in TEXTS:
        return _read_text(path, kind, key)
    if kind == ".parquet":
        return read_parquet_table(path)
    if kind == ".npy":
        found = read_array(path)
        names = found.dtype.names
        return {n: as_column(found[n]) for n in names} if names else {"z": as_column(found)}
    content = read_file(path)
    matrices = {name: as_column(matrix.load()) for name, matrix in content.matrices.items()}
    head = {name: as_column(array) for name, array in content.head.items()}
    return matrices | head | content.columns


def _read_text(path: Path, kind: str, key: str | None) -> Columns:
    text = _decoded(path, kind)
    separator = "\t" if kind.startswith(".tsv") else _separator(text)
    header = next(csv.reader(io.StringIO(text), delimiter=separator), [])
    require_unlike(path, header)
    table = pyarrow.csv.read_csv(
        pa.BufferReader(text.encode()),
        read_options=pyarrow.csv.ReadOptions(block_size=BLOCK),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=separator, newlines_in_values=True, ignore_empty_lines=len(header) > 1
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
        ),
    )
    comma = separator == ";"
    return {
        name: as_column(column) if name == key else _told(as_column(column), comma=comma)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def _decoded(path: Path, kind: str) -> str:
    """The text of a table.

    Raises:
        InputError: it is too large, or not UTF-8.
    """
    with open_regular(path) as raw, gzip.open(raw) if kind.endswith(".gz") else raw as file:
        content = file.read(MOST_EXPANDED + 1)
    if len(content) > MOST_EXPANDED:
        raise InputError(
            f"{path} has more than {MOST_EXPANDED / 2**30:g} GiB of text. Give it as Parquet."
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise InputError(f"{path} is UTF-16 or no text. Save it as UTF-8.")
    try:
        return content.decode("utf-8-sig").lstrip("\r\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} is not UTF-8: line {line} has the byte {content[error.start]:#04x}, as in "
            "Latin-1. Save it as UTF-8."
        ) from None


def _separator(text: str) -> str:
    """What splits the first rows into the same number of parts, and into most."""

    def parts(separator: str) -> int:
        rows = csv.reader(io.StringIO(text), delimiter=separator)
        counts = {len(row) for row, _ in zip(rows, range(SNIFFED), strict=False) if row}
        return counts.pop() if len(counts) == 1 else 1

    return max(SEPARATORS, key=parts)


def _told(column: Column, *, comma: bool) -> Column:
    """Words as what they stand for, if all are numbers or all are yes or no."""
    words, there = column.values, ~column.missing
    blank = np.isin(words.astype(object), NO_NUMBERS)
    some = words[there & ~blank]
    if not len(some):
        return column
    if comma and pd.Series(some, dtype=object).str.fullmatch(r"[+-]?\d+(,\d+)?").all():
        words = pd.Series(words, dtype=object).str.replace(",", ".").to_numpy()
        some = words[there & ~blank]
    if is_number(some).all():
        missing = column.missing | blank
        whole = all(word.strip().lstrip("+-").isdigit() for word in some)
        if whole and max(len(word.strip()) for word in some) > 18:
            return column  # names: not all of them are exact as numbers
        values = np.zeros(len(words), np.int64 if whole else np.float64)
        values[~missing] = [int(w) for w in some] if whole else some.astype(float)
        return Column(values=values, missing=missing)
    if np.isin(words[there], (*YES, *NO)).all():
        return replace(column, values=np.isin(words, YES))
    return column


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which sample goes with which row of a table."""

    samples: NDArray[np.int64]
    rows: NDArray[np.int64]
    note: str | None
    """What is left out, if anything."""


def match(
    samples: Column,
    table: Column,
    *,
    path: Path,
    partial: bool = False,
    fewer_samples: bool = False,
) -> Match:
    """Join by key: the samples in their order with the row of each.

    Args:
        samples: Key of each sample.
        table: Key of each row.
        path: Of the table, for messages.
        partial: Go on with those that both have.
        fewer_samples: Whether it is known why some rows have no sample.

    Raises:
        InputError: keys that are not unique or, unless `partial`, are on one side only.
    """
    left, right = as_keys(samples, "the features"), as_keys(table, str(path))
    place = right.get_indexer(left)
    lone_samples = left[place < 0]
    lone_rows = right.difference(left, sort=False)
    found = np.flatnonzero(place >= 0)
    missing = [
        f"{len(lone):,} of {total:,} {what} {examples(lone)}"
        for lone, total, what in (
            (lone_samples, len(left), f"samples have no row in {path}, such as"),
            (lone_rows, len(right), f"rows of {path} have no sample, such as"),
        )
        if len(lone)
    ]
    stop = len(lone_samples) or (len(lone_rows) and not fewer_samples)
    if missing and (not len(found) or (stop and not partial)):
        way = f"; or go on with the {len(found):,} that both have (partial)" if len(found) else ""
        alike = look_alikes(lone_samples, lone_rows)
        raise InputError(f"{'; '.join(missing)}. Keys are compared as text.{alike} Mend them{way}.")
    note = f"{'; '.join(missing)}: left out" if missing else None
    return Match(samples=found, rows=place[found], note=note)


def as_keys(values: Any, where: str) -> Keys:
    """Keys as text, each there once.

    Raises:
        InputError: missing keys, keys with fractions, or keys that occur more than once.
    """
    column = as_column(values).require(f"the key of {where}")
    if len(column.shape) != 1 or column.missing.any():
        missing = missing_rows(column) if column.missing.any() else "no row"
        raise InputError(
            f"the key of {where} must be one value per row; it is missing in {missing}, and has "
            f"shape {column.shape}."
        )
    values = column.values
    if values.dtype.kind == "f":
        raise InputError(
            f"the key of {where} holds decimal numbers; give integers or text, which can be "
            "compared."
        )
    keys: Keys = pd.Index(values.astype(str))
    twice = keys[keys.duplicated()].unique()
    if len(twice):
        raise InputError(
            f"{len(twice):,} keys occur more than once in {where}, such as {examples(twice)}. A "
            "key must name one row; drop or rename the others."
        )
    return keys


def examples(values: Keys) -> str:
    """The first few."""
    return ", ".join(repr(str(value)) for value in values[:EXAMPLES])
