"""`load_features`: features from files, the factors of each sample, and what else is known.

Factors lie in the files of the features, in a table of their own, or both. A table is joined by
a key, or where there is none by its order. Pickles are never opened.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from identikit.core.errors import InputError, unknown_name
from identikit.core.factors import Factors
from identikit.core.memory_mapped import gathered
from identikit.core.representation import Representation
from identikit.features.columns import Column, as_classes, as_column, require_labels
from identikit.features.head import read_head
from identikit.features.inputs import as_factors, as_features
from identikit.features.paths import Paths
from identikit.features.read import Columns
from identikit.features.rows import GROUP, KEYS, Rows, read_rows
from identikit.features.table import as_keys, examples, match, read_table

OBSERVATIONS = ("x", "pixels")
"""Controls of these names are the observations themselves."""
NO_FACTORS = ("text", GROUP, "span", "span_start")
"""Columns of a table of sentences that say what they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was read, sample for sample in one order."""

    representation: Representation
    controls: Mapping[str, Float[Tensor, "n _"]] = field(default_factory=dict)
    """Other features of the same samples, such as those of an untrained twin."""
    items: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None
    keys: NDArray[Any] | None = None
    """Names of the samples, where they have any."""
    texts: NDArray[Any] | None = None
    """What they say, where they are sentences and the table has them."""
    notes: tuple[str, ...] = ()
    """Shards and samples that were left out, and why."""
    same_samples: Callable[[str, Paths], Float[Tensor, "n _"]]
    """Reads other features of these samples in their order, by the name they go by and where they
    are."""


def load_features(
    features: Paths,
    *,
    factors: str | Path | None = None,
    key: str | None = None,
    only: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    head: str | Path | None = None,
    controls: Mapping[str, Paths] | None = None,
    items: str | None = None,
    groups: str | None = None,
    partial: bool = False,
    skip_corrupt: bool = False,
) -> Loaded:
    """Read features and factors.

    Args:
        features: A .npy, .npz, Parquet or safetensors file; several that follow one another, or
            a pattern such as "shards/*.npy"; or a folder, such as `identikit extract` makes.
        factors: A table of the samples: CSV, Parquet, .npz, .npy or safetensors.
        key: Column of the table that names the samples. The features' own is the array of the
            same name, or `key`, or `keys`. Without it the table's rows are in the features' order;
            for features of sentences it is the column, or the row numbers, that these were
            extracted with.
        only: Factors to keep; all if not given.
        kinds: Kind per factor name, such as {"azimuth": "circular:360"}, where inference
            (see `identikit.features.inputs`) would guess wrong.
        head: File of the classifier's rows W (labels, d_h).
        controls: Other features of the same samples by name, in any of these forms; `x` is
            the observations.
        items: Column that says what each sample shows (see `identikit.score`).
        groups: Column of samples that are held out together; by default, of sentences, their
            groups: those of the table, or else those that they were extracted with.
        partial: Go on with the samples that both features and table have.
        skip_corrupt: Go on without shards that cannot be read.

    Raises:
        InputError: anything that cannot be used, which file it is in, and what would do.
    """
    rows = read_rows(features, factors_apart=factors is not None, skip_corrupt=skip_corrupt)
    columns, kept, notes = dict(rows.columns), None, list(rows.skipped)
    own_key = rows.key(key)
    settings = {} if rows.manifest is None else rows.manifest.settings
    sentences = "sentences" in settings
    if factors is not None:
        key = settings.get("key") if key is None else key
        table = read_table(Path(factors), key=key, rows=None if key else len(rows.h))
        beside = table.columns
        if sentences:
            key = key or KEYS[0]
            beside = _with_row_numbers(beside, key)
            own = {name: c for name, c in columns.items() if name != GROUP or GROUP not in beside}
            rows = replace(rows, columns=own)
        columns, kept, note = _beside(rows, beside, Path(factors), key, own_key, partial=partial)
        notes += [*table.notes, *([note] if note else [])]
    elif key is not None and key not in columns:
        raise unknown_name("column of the features", key, columns)
    n = len(rows.h) if kept is None else len(kept)
    if sentences and groups is None and GROUP in columns:
        groups = GROUP
        notes.append(
            f"samples of one group are held out together: {len({*columns[GROUP].values}):,} groups "
            "of the column `group` (--groups NAME takes another, --groups key none)"
        )
    named = {name: _labels(columns, name, n) for name in (items, groups) if name is not None}
    apart = {key, items, groups, *KEYS, *(NO_FACTORS if sentences else ())} - {None}
    chosen = _chosen(columns, only, apart=apart)
    others, more = _controls(rows, controls or {}, own_key, skip_corrupt=skip_corrupt)
    x = others.pop("x", rows.x)
    representation = _representation(rows, x, chosen, kept, kinds, head, str(features))

    def same_samples(name: str, path: Paths) -> Float[Tensor, "n _"]:
        other, _ = _beside_rows(rows, path, own_key, name, skip_corrupt=skip_corrupt)
        return _kept(other, kept, name=name)

    return Loaded(
        representation=representation,
        same_samples=same_samples,
        controls={name: _kept(h, kept, name=f"control {name!r}") for name, h in others.items()},
        items=None if items is None else named[items],
        groups=None if groups is None else named[groups],
        keys=None
        if own_key is None
        else rows.columns[own_key].values[slice(None) if kept is None else kept],
        texts=columns["text"].values if sentences and "text" in columns else None,
        notes=(*notes, *more, *_missing(representation.factors)),
    )


def load_npz(path: str | Path, *, kinds: Mapping[str, str] | None = None) -> Representation:
    """Read features and factors from one .npz file; see `load_features` for more."""
    return load_features(path, kinds=kinds).representation


def _beside(
    rows: Rows, table: Columns, path: Path, key: str | None, own_key: str | None, *, partial: bool
) -> tuple[Columns, NDArray[np.int64] | None, str | None]:
    """All columns of the samples that are kept, which these are (None: all), and what is not."""
    n, length = len(rows.h), next((c.shape[0] for c in table.values()), 0)
    twice = set(rows.columns) & set(table) - {key, own_key}
    if twice:
        raise InputError(
            f"{sorted(twice)[0]!r} is in {path} and among the features; leave one of them out."
        )
    if key is None:
        if own_key is not None:
            raise InputError(
                f"the samples have keys and {path} is not said to: name its column with key, one "
                f"of {', '.join(table)}."
            )
        if length != n or rows.skipped:
            raise InputError(
                f"{path} has {length:,} rows for {n:,} samples"
                f"{' that are left of the shards' if rows.skipped else ''}. Without a key they "
                "must be the same samples in the same order; give a key that both have."
            )
        return {**rows.columns, **table}, None, None
    if own_key is None:
        raise InputError(
            f"the features have no keys to join {path} by. Give them an array {key!r} of one name "
            "per sample, or leave the key out if the rows are in the same order."
        )
    fewer = bool(rows.skipped or (rows.manifest and rows.manifest.skipped))
    found = match(
        rows.columns[own_key], table[key], path=path, partial=partial, fewer_samples=fewer
    )
    whole = len(found.samples) == n
    own = {name: column.take(found.samples) for name, column in rows.columns.items()}
    joined = {name: column.take(found.rows) for name, column in table.items() if name != key}
    return {**own, **joined}, None if whole else found.samples, found.note


def _with_row_numbers(columns: Columns, key: str) -> Columns:
    """Columns with the numbers of their rows for a key that is not there."""
    count = next((len(column.values) for column in columns.values()), 0)
    numbers = as_column([str(row) for row in range(count)])
    return {key: numbers} | columns


def _column(columns: Columns, name: str) -> Column:
    if name not in columns:
        raise unknown_name("column", name, columns)
    return columns[name]


def _labels(columns: Columns, name: str, n: int) -> NDArray[Any]:
    return require_labels(_column(columns, name), name=f"column {name!r}", n=n).values


def _missing(factors: Factors) -> list[str]:
    """What is said of factors that lack values."""
    return [
        f"{name} has no value in {int(factor.missing.sum()):,} of {len(factor.missing):,} samples, "
        "which are left out of it"
        for name, factor in factors.items()
        if factor.missing is not None
    ]


def _chosen(columns: Columns, only: Sequence[str], *, apart: set[str | None]) -> Columns:
    """The columns that are factors."""
    if only:
        return {name: _column(columns, name) for name in only}
    return {name: column for name, column in columns.items() if name not in apart}


def _representation(
    rows: Rows,
    x: Tensor | None,
    columns: Columns,
    kept: NDArray[np.int64] | None,
    kinds: Mapping[str, str] | None,
    head: str | Path | None,
    source: str,
) -> Representation:
    h = _kept(rows.h, kept, name="h")
    if not columns:
        raise InputError(
            f"{source} holds no factors, only 'h'. Put them into the file, or give a table of "
            "factors."
        )
    own = rows.head if head is None else read_head(Path(head))
    weights = as_features(own["W"], name="W") if "W" in own else None
    vectors = own.get("class_vectors")
    return Representation(
        h=h,
        factors=as_factors(columns, kinds=kinds),
        head=weights,
        head_class=_row_class(own.get("head_class"), weights),
        class_vectors=None if vectors is None else as_features(vectors, name="class_vectors"),
        x=None if x is None else _kept(x, kept, name="x"),
    )


def _controls(
    rows: Rows, given: Mapping[str, Paths], own_key: str | None, *, skip_corrupt: bool
) -> tuple[dict[str, Tensor], list[str]]:
    """Other features of the same samples: those given, and those that the folder holds."""
    paths: dict[str, Paths] = dict(given)
    if rows.manifest is not None and rows.folder is not None:
        for name, folder in rows.manifest.controls.items():
            paths.setdefault(name, rows.folder / folder)
    found: dict[str, Tensor] = {}
    notes: list[str] = []
    for name, path in paths.items():
        what = f"control {name!r}"
        h, skipped = _beside_rows(rows, path, own_key, what, skip_corrupt=skip_corrupt)
        notes += [f"control {name}: {words}" for words in skipped]
        found["x" if name in OBSERVATIONS else name] = h
    return found, notes


def _beside_rows(
    rows: Rows, path: Paths, own_key: str | None, name: str, *, skip_corrupt: bool
) -> tuple[Tensor, tuple[str, ...]]:
    """Other features of the samples in their order, and the shards that could not be read."""
    other = read_rows(path, factors_apart=True, skip_corrupt=skip_corrupt)
    place = _same_samples(rows, other, own_key, name)
    h = other.h if place is None else gathered(other.h, place, dtype=other.h.dtype)
    return h, other.skipped


def _same_samples(rows: Rows, other: Rows, own_key: str | None, name: str) -> Tensor | None:
    """Where the samples are among those of other features; None if in the same places."""
    theirs = other.key(own_key)
    if own_key is None or theirs is None:
        if len(other.h) != len(rows.h):
            raise InputError(
                f"{name} has {len(other.h):,} samples and the features {len(rows.h):,}. "
                "Without keys in both they must be the same samples in the same order."
            )
        return None
    mine = as_keys(rows.columns[own_key], "the features")
    place = as_keys(other.columns[theirs], name).get_indexer(mine)
    lost = mine[place < 0]
    if len(lost):
        raise InputError(
            f"{name} lacks {len(lost):,} of {len(mine):,} samples, such as "
            f"{examples(lost)}. Make it of the same samples."
        )
    same = len(other.h) == len(mine) and np.array_equal(place, np.arange(len(mine)))
    return None if same else torch.as_tensor(place)


def _kept(values: Tensor, kept: NDArray[np.int64] | None, *, name: str) -> Tensor:
    if kept is not None:
        values = gathered(values, torch.as_tensor(kept), dtype=values.dtype)
    return as_features(values, name=name)


def _row_class(values: Any, rows: Tensor | None) -> Tensor | None:
    if values is None:
        return None
    if rows is None:
        raise InputError("head_class is the class of each row of W, and there is no W.")
    return as_classes(values, name="head_class", n=len(rows))
