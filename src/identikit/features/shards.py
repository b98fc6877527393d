"""Features on disk: a folder of shards, h of consecutive rows each, and a manifest that says all.

    FOLDER/manifest.json           what is here and how it was made; the fields of `Manifest`
    FOLDER/shard-00000.safetensors `h` (rows, dim) in float16 or float32; the next rows follow in
                                   shard-00001 and so on. Its metadata names what was skipped
    FOLDER/keys.parquet            column `key`: the name of each of the n rows, in their order; of
                                   sentences in groups also `group`, what is held out together
    FOLDER/head.safetensors        `W` (labels, dim) and, where it has one, `b` (labels,): the
                                   linear classifier that was trained on h; absent where unknown
    FOLDER/CONTROL/                the same rows of another representation (an untrained network,
                                   pixels): a folder of this very format, without controls

The manifest is written before the first shard, with `finished` false, and again after the last.
Every file is written whole or not at all, so the shards that are there are good.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from identikit.core.config import from_dict, to_dict
from identikit.core.errors import InputError, in_words
from identikit.core.files import (
    file_digest,
    read_regular,
    require_inside,
    require_regular,
    write_atomically,
    write_json,
)

FORMAT: Final = "identikit-features"
VERSION: Final = 1
MANIFEST_FILE = "manifest.json"
KEYS_FILE = "keys.parquet"
HEAD_FILE = "head.safetensors"
Storage = Literal["float16", "float32"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One file of rows."""

    file: str
    """Its name in the folder."""
    rows: int
    bytes: int
    """Size of the file."""
    sha256: str
    """Of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a folder of features holds and how it was made."""

    format: Literal["identikit-features"] = FORMAT
    version: Literal[1] = VERSION
    finished: bool
    """Whether all shards are there; if not, the command that made them goes on."""
    n: int
    """Rows in all; 0 before the end."""
    dim: int
    """Columns of h."""
    dtype: Storage
    """Of h on disk."""
    shards: tuple[Shard, ...] = ()
    """In the order of the rows; empty before the end."""
    keys: str = KEYS_FILE
    skipped: tuple[str, ...] = ()
    """Keys that were to be rows and could not be read."""
    controls: dict[str, str]
    """Folder of each control by its name, relative to this one."""
    head: str | None
    """File of the head."""
    settings: dict[str, Any]
    """Everything that decides the numbers: model, layer, transform, images, precision."""
    versions: dict[str, str]


def shard_file(index: int) -> str:
    """The name of a shard's file."""
    return f"shard-{index:05d}.safetensors"


def write_shard(path: Path, h: NDArray[Any], *, skipped: Sequence[str] = ()) -> None:
    """Write rows and the keys that are missing among them.

    Raises:
        InputError: the file cannot be written.
    """
    content = save({"h": np.ascontiguousarray(h)}, metadata={"skipped": json.dumps(list(skipped))})
    write_atomically(path, content)


def describe_shard(path: Path) -> tuple[Shard, list[str]]:
    """A shard as the manifest lists it, and the keys that were skipped.

    Raises:
        InputError: the file is missing, damaged or holds no h.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            rows = file.get_slice("h").get_shape()[0]
            skipped = json.loads((file.metadata() or {}).get("skipped", "[]"))
    except (OSError, SafetensorError, ValueError) as error:
        raise _damaged(path, error) from error
    shard = Shard(file=path.name, rows=rows, bytes=path.stat().st_size, sha256=file_digest(path))
    return shard, skipped


def is_shard(path: Path) -> bool:
    """Whether a file is as long as it says and holds h."""
    try:
        with safe_open(path, framework="numpy") as file:
            return "h" in file.keys()  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError):
        return False


def read_shard(path: Path) -> NDArray[Any]:
    """The rows of a shard, in the type in which they are stored.

    Raises:
        InputError: the file is missing, damaged or holds no h.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            h: NDArray[Any] = file.get_tensor("h")
            return h
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} cannot be read as a shard of features: {error}. Give the command that made the "
        "folder again; it makes this shard anew."
    )


def write_keys(folder: Path, keys: Sequence[str], groups: Sequence[str] | None = None) -> None:
    """Write the name of every row, and its group.

    Raises:
        InputError: the file cannot be written.
    """
    columns = {"key": keys} if groups is None else {"key": keys, "group": groups}
    table = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(table), sink)
    write_atomically(folder / KEYS_FILE, sink.getvalue().to_pybytes())


def read_keys(folder: Path, column: str = "key") -> list[str]:
    """The name, or group, of every row; no groups where none were written.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        require_regular(folder / KEYS_FILE)
        table = pq.read_table(folder / KEYS_FILE)
        if column != "key" and column not in table.column_names:
            return []
        found = table[column]
        keys: list[str] = found.to_pylist()
    except (OSError, KeyError, UnicodeDecodeError, pa.ArrowException) as error:
        raise InputError(f"{folder / KEYS_FILE} cannot be read: {in_words(error)}.") from error
    if not pa.types.is_string(found.type) or found.null_count:
        raise InputError(f"{folder / KEYS_FILE} does not name every row. Extract again.")
    return keys


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write what the folder holds.

    Raises:
        InputError: the file cannot be written.
    """
    write_json(folder / MANIFEST_FILE, to_dict(manifest))


def read_manifest(folder: Path, *, unfinished: bool = False) -> Manifest:
    """What a folder of features holds.

    Args:
        folder: The folder.
        unfinished: Whether one that is still to be finished will do.

    Raises:
        InputError: not such a folder, of another version, damaged, or not finished.
    """
    path = folder / MANIFEST_FILE
    try:
        data = json.loads(read_regular(path))
    except InputError:
        raise
    except RecursionError as error:
        raise InputError(f"{path} is damaged: it is nested too deeply.") from error
    except OSError as error:
        raise InputError(
            f"{folder} is not a folder of features: {path.name} cannot be read "
            f"({error.strerror}). Give one that `identikit extract` made."
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}.") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(
            f"{path} is not the manifest of features. Give a folder that `identikit extract` made."
        )
    if data.get("version") != VERSION:
        raise InputError(
            f"{path} is of version {data.get('version')}, and this identikit reads version "
            f"{VERSION}. Update identikit, or extract again."
        )
    manifest = from_dict(Manifest, data)
    inside = [shard.file for shard in manifest.shards] + list(manifest.controls.values())
    for name in (*inside, KEYS_FILE, *([manifest.head] if manifest.head else [])):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise InputError(f"{path} names {name!r}, which is not in its folder. Extract again.")
        require_inside(folder / name, folder, remedy="Put a copy in its place.")
    if not manifest.finished and not unfinished:
        raise InputError(
            f"{folder} is not finished. Give the command that makes it again; it goes on where "
            "it stopped."
        )
    return manifest
