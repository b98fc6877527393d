"""Tables of factors (CSV, Parquet, .npz, .npy, safetensors) and their rows in the order of keys."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.torch import load_file

from identikit.core.errors import InputError, unknown_name
from identikit.features.read import (
    Columns,
    UnreadableError,
    parquet_columns,
    reading,
    require_format,
    safetensors_array,
)

SUFFIXES = (".csv", ".tsv", ".parquet", ".npz", ".npy", ".safetensors")
EXAMPLES = 3


def read_table(path: Path, *, key: str | None = None) -> Columns:
    """The columns of a table by their names; a bare matrix is called z.

    Args:
        path: The table; its suffix says what it is.
        key: A column of text, whatever it looks like: 0012 is not 12.

    Raises:
        InputError: a file that cannot be read, or without that column.
    """
    require_format(path, SUFFIXES)
    with reading(path):
        if not path.stat().st_size:
            raise UnreadableError(f"{path} is empty.")
        columns = _read(path, key)
    if key is not None and key not in columns:
        raise unknown_name(f"column of {path}", key, columns)
    lengths = {name: np.shape(column)[:1] for name, column in columns.items()}
    if len(set(lengths.values())) > 1 or () in lengths.values():
        raise InputError(f"{path} must have one value per row in each column; got {lengths}.")
    return columns


def _read(path: Path, key: str | None) -> Columns:
    if path.suffix in (".csv", ".tsv"):
        text = {} if key is None else {key: str}
        tab = "\t" if path.suffix == ".tsv" else ","
        frame = pd.read_csv(path, sep=tab, dtype=text, low_memory=False)
        return {str(name): frame[name].to_numpy() for name in frame}
    if path.suffix == ".parquet":
        return parquet_columns(pq.read_table(path))
    if path.suffix == ".safetensors":
        return {name: safetensors_array(tensor) for name, tensor in load_file(path).items()}
    found = np.load(path, allow_pickle=False)
    if isinstance(found, np.ndarray):
        names = found.dtype.names
        return {name: found[name] for name in names} if names else {"z": found}
    with found:
        return {name: found[name] for name in found.files}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which sample goes with which row of a table."""

    samples: NDArray[np.int64]
    rows: NDArray[np.int64]
    note: str | None
    """What is left out, if anything."""


def match(
    samples: NDArray[Any],
    table: NDArray[Any],
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
        raise InputError(f"{'; '.join(missing)}. Keys are compared as text. Mend them{way}.")
    note = f"{'; '.join(missing)}: left out" if missing else None
    return Match(samples=found, rows=place[found], note=note)


def as_keys(values: NDArray[Any], where: str) -> "pd.Index[str]":
    """Keys as text, each there once.

    Raises:
        InputError: missing keys, keys with fractions, or keys that occur more than once.
    """
    missing = int(pd.isna(values).sum())
    if missing or values.ndim != 1:
        raise InputError(
            f"the key of {where} must be one value per row; {missing} are missing, shape "
            f"{values.shape}."
        )
    if values.dtype.kind == "f":
        raise InputError(
            f"the key of {where} holds decimal numbers; give integers or text, which can be "
            "compared."
        )
    keys: pd.Index[str] = pd.Index(values.astype(str))
    twice = keys[keys.duplicated()].unique()
    if len(twice):
        raise InputError(
            f"{len(twice):,} keys occur more than once in {where}, such as {examples(twice)}. A "
            "key must name one row; drop or rename the others."
        )
    return keys


def examples(values: "pd.Index[str]") -> str:
    """The first few."""
    return ", ".join(repr(str(value)) for value in values[:EXAMPLES])
