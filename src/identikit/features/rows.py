"""One file, many shards or a folder of them as one matrix of rows with their columns.

One that lies mapped on the disk stays there; several are copied one by one into one place.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Num
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.files import file_digest, read_regular
from identikit.core.memory_mapped import not_finite, release, row_blocks, scratch
from identikit.features.columns import Column, as_column, joined, unusable
from identikit.features.head import read_head
from identikit.features.paths import FEATURES, Paths, files_in, grouped, listed
from identikit.features.read import (
    HEAD,
    Columns,
    Content,
    Matrix,
    UnreadableError,
    read_array,
    read_file,
    reading,
    require_format,
)
from identikit.features.shards import FORMAT, MANIFEST_FILE, Manifest, read_keys, read_manifest

KEYS = ("key", "keys")
GROUP = "group"
"""Column of samples that are to be held out together, where features were extracted with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Features of n samples as they lie on the disk, with all that lies beside them."""

    h: Num[Tensor, "n ..."]
    x: Num[Tensor, "n ..."] | None
    columns: Columns
    """One entry per sample each."""
    head: Mapping[str, Any]
    skipped: tuple[str, ...]
    """Shards that could not be read, and why."""
    manifest: Manifest | None = None
    folder: Path | None = None
    """Where the manifest lies."""

    def key(self, name: str | None = None) -> str | None:
        """The column that names the samples: this one, if there is one, or `key`, or `keys`."""
        return next((own for own in (name, *KEYS) if own in self.columns), None)


def read_rows(features: Paths, *, factors_apart: bool = False, skip_corrupt: bool = False) -> Rows:
    """Read features from a file, a list or pattern of files, or a folder of shards.

    Args:
        features: Where they are.
        factors_apart: Whether factors come from elsewhere.
        skip_corrupt: Go on without shards that cannot be read.

    Raises:
        InputError: files that are missing, damaged, or do not fit each other, and which.
    """
    paths = listed(features)
    if len(paths) == 1 and paths[0].is_dir():
        if _has_manifest(paths[0]):
            return _from_manifest(paths[0], skip_corrupt=skip_corrupt)
        paths = files_in(paths[0])
    contents, skipped = [], []
    for path, companions in grouped(paths):
        try:
            found = read_file(path, factors_apart=factors_apart)
            contents.append(_with_companions(found, companions))
        except UnreadableError as error:
            skipped.append(_skip(error, path, len(paths), skip_corrupt))
    return _joined(contents, skipped, skip_corrupt=skip_corrupt)


def _has_manifest(folder: Path) -> bool:
    try:
        data = json.loads(read_regular(folder / MANIFEST_FILE))
        return isinstance(data, dict) and data.get("format") == FORMAT
    except OSError:
        return False
    except (ValueError, RecursionError):
        return True  # damaged, which reading it says


def _with_companions(content: Content, companions: dict[str, Path]) -> Content:
    matrices, columns, head = dict(content.matrices), dict(content.columns), dict(content.head)
    for name, path in companions.items():
        require_format(path, (".npy",))
        if name == "x":
            matrices["x"] = read_file(path).matrices["h"]
        elif name in HEAD:
            head[name] = read_array(path)
        else:
            columns[name] = as_column(read_array(path))
    return replace(content, matrices=matrices, columns=columns, head=head)


def _from_manifest(folder: Path, *, skip_corrupt: bool) -> Rows:
    manifest, keys = read_manifest(folder), np.asarray(read_keys(folder))
    named = {KEYS[0]: keys, GROUP: np.asarray(read_keys(folder, GROUP))}
    if len(keys) != manifest.n:
        raise InputError(
            f"{folder} has {len(keys)} keys and {manifest.n} rows by its manifest; extract again."
        )
    contents, skipped, start = [], [], 0
    for shard in manifest.shards:
        path, rows = folder / shard.file, slice(start, start + shard.rows)
        start = rows.stop
        try:
            if not path.exists() or file_digest(path) != shard.sha256:
                raise UnreadableError(
                    f"{path} is not the file that the manifest lists: it is missing, was cut "
                    "short or changed. Copy it again, or delete it and extract again."
                )
            own = {name: as_column(values[rows]) for name, values in named.items() if len(values)}
            contents.append(replace(read_file(path), columns=own))
        except UnreadableError as error:
            skipped.append(_skip(error, path, len(manifest.shards), skip_corrupt))
    found = _joined(contents, skipped, skip_corrupt=skip_corrupt)
    head = read_head(folder / manifest.head) if manifest.head else {}
    return replace(found, head=head, manifest=manifest, folder=folder)


def _skip(error: UnreadableError, path: Path, shards: int, skip_corrupt: bool) -> str:
    if shards == 1:
        raise error
    if not skip_corrupt:
        raise UnreadableError(
            f"{error} It is one of {shards} shards; skip_corrupt goes on without it."
        ) from None
    return f"{path.name}: {error}"


def _joined(contents: list[Content], skipped: list[str], *, skip_corrupt: bool) -> Rows:
    """All rows under one another."""
    if not contents:
        raise InputError(f"none of the shards could be read. {' '.join(skipped)}")
    for content in contents:
        _require_alike(content, contents[0])
    contents = [_of_own_length(content) for content in contents]
    if len(contents) == 1:
        only = contents[0]
        with reading(only.path):
            matrices = {_plain(name): matrix.load() for name, matrix in only.matrices.items()}
        return _rows(matrices, contents, skipped)
    room = {
        name: scratch((sum(c.matrices[name].shape[0] for c in contents), *shape[1:]), dtype)
        for name, (shape, dtype) in _common(contents).items()
    }
    kept, start = [], 0
    for content in contents:
        try:
            with reading(content.path):
                loaded = {name: matrix.load() for name, matrix in content.matrices.items()}
        except UnreadableError as error:
            skipped.append(_skip(error, content.path, len(contents), skip_corrupt))
            continue
        for name, rows in loaded.items():
            rows = _in_order(rows, content.matrices[name], contents[0].matrices[name])
            _copy(rows, room[name][start : start + len(rows)], content.path, name)
        start += len(loaded[_features_name(content)])
        kept.append(content)
    if not kept:
        raise InputError(f"none of the shards could be read. {' '.join(skipped)}")
    return _rows({_plain(name): rows[:start] for name, rows in room.items()}, kept, skipped)


def _copy(rows: Tensor, target: Tensor, path: Path, name: str) -> None:
    """Copy a shard into its place, if it holds numbers only."""
    bad, where = not_finite(rows)
    if bad:
        raise InputError(
            f"{name} in {path} has {bad} values that are NaN or infinite, first in its rows "
            f"{', '.join(map(str, where))}. Drop those samples or make the shard again."
        )
    for block in row_blocks(rows):
        target[block] = rows[block]
        release(target)


def _in_order(rows: Tensor, own: Matrix, first: Matrix) -> Tensor:
    """Columns as the first shard has them, by their names."""
    if own.names == first.names:
        return rows
    return rows[:, [own.names.index(name) for name in first.names]]


def _rows(matrices: dict[str, Tensor], contents: list[Content], skipped: list[str]) -> Rows:
    return Rows(
        h=matrices["h"],
        x=matrices.get("x"),
        columns={name: _stacked(name, contents) for name in contents[0].columns},
        head=_same_head(contents),
        skipped=tuple(skipped),
    )


def _require_alike(content: Content, first: Content) -> None:
    """A shard by itself, then beside the first."""
    if not set(content.matrices) & set(FEATURES):
        raise InputError(
            f"{content.path} holds no array 'h'; it has "
            f"{', '.join(map(repr, [*content.matrices, *content.columns])) or 'nothing'}. Write it "
            "with numpy.savez(path, h=features, name1=factor1, ...)."
        )
    if len(set(content.matrices) & set(FEATURES)) > 1:
        raise InputError(f"{content.path} holds both {' and '.join(FEATURES)}. Leave one out.")
    n = content.matrices[_features_name(content)].shape[:1]
    for name, matrix in content.matrices.items():
        if len(matrix.shape) < 2 and name != "x":
            raise InputError(
                f"h must be a matrix (samples, dimensions); {content.path} has shape "
                f"{matrix.shape}."
            )
        if matrix.shape[:1] != n:
            raise InputError(
                f"{name!r} and 'h' must have the same number of rows; got shape {matrix.shape} and "
                f"{n[0]} rows of h in {content.path}. Pass values of the same samples."
            )
    own = [*content.matrices, *content.columns]
    if set(own) != {*first.matrices, *first.columns}:
        raise InputError(
            f"all shards must hold the same arrays; {content.path.name} has {', '.join(own)} and "
            f"{first.path.name} {', '.join([*first.matrices, *first.columns])}."
        )
    for name, matrix in content.matrices.items():
        if matrix.shape[1:] != first.matrices[name].shape[1:]:
            raise InputError(
                f"all shards must have one width; {name} is {_times(matrix)} wide in "
                f"{content.path.name} and {_times(first.matrices[name])} in {first.path.name}."
            )
        if set(matrix.names) != set(first.matrices[name].names):
            odd = sorted(set(matrix.names) ^ set(first.matrices[name].names))
            raise InputError(
                f"all shards must have the same columns; {odd[0]!r} is in {content.path.name} or "
                f"in {first.path.name}, not in both."
            )


def _of_own_length(content: Content) -> Content:
    """Arrays that are not of one value per row cannot be used, and need not be."""
    n = content.matrices[_features_name(content)].shape[:1]
    columns = {
        name: column
        if column.shape[:1] == n
        else unusable(
            n,
            f"and 'h' must have the same number of rows; got shape {column.shape} and {n[0]} rows "
            f"of h in {content.path}. Pass values of the same samples, or name the factors to "
            "read (only).",
        )
        for name, column in content.columns.items()
    }
    return replace(content, columns=columns)


def _times(matrix: Matrix) -> str:
    return " x ".join(map(str, matrix.shape[1:]))


def _common(contents: list[Content]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Shape and type that hold the numbers of all shards."""
    found = {}
    for name, first in contents[0].matrices.items():
        dtype = first.dtype
        for content in contents:
            dtype = torch.promote_types(dtype, content.matrices[name].dtype)
        found[name] = (first.shape, dtype)
    return found


def _stacked(name: str, contents: list[Content]) -> Column:
    if len(contents) == 1:
        return contents[0].columns[name]
    try:
        return joined([content.columns[name] for content in contents])
    except ValueError as error:
        raise InputError(f"{name!r} {error}.") from None


def _same_head(contents: list[Content]) -> Mapping[str, Any]:
    first = contents[0].head
    for content in contents[1:]:
        for name, array in content.head.items():
            if name not in first or not np.array_equal(np.asarray(array), np.asarray(first[name])):
                raise InputError(
                    f"{name!r} differs between {content.path.name} and {contents[0].path.name}; "
                    "one head belongs to all shards."
                )
    return first


def _features_name(content: Content) -> str:
    return next(name for name in FEATURES if name in content.matrices)


def _plain(name: str) -> str:
    return "h" if name in FEATURES else name
