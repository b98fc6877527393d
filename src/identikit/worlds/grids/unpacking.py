"""Compressed images are unpacked once, into an array file beside them, and mapped from then on.

The array file is written under another name, checked, and renamed; a record beside it says which
source it came from (size and time of change), so that a changed source is unpacked anew. Two
processes that want it at once wait for each other.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from identikit.core.archives import read_header
from identikit.core.errors import InputError
from identikit.core.files import locked, open_regular, replacing, require_regular, write_json
from identikit.worlds.grids.data_set import DAMAGED, Bytes, DataSet, Stream, Watch

SPARE = 64 * 2**20
"""Bytes that stay free on the disk."""


def open_images(
    path: Path, data: DataSet, *, cache: Path | None = None, on_progress: Watch | None = None
) -> Bytes:
    """The images at a path in the order of the grid, memory-mapped; unpacked first if need be.

    Args:
        path: the original file, or the folder of the original files.
        data: which set it is.
        cache: folder for the array file; by default that of the original file.
        on_progress: is told of the unpacking.

    Raises:
        InputError: files that are missing, damaged or not this set, or no space to unpack them.
    """
    source = path.resolve()
    target = cache_file(source, cache)
    found = _valid(target, source, data)
    if found is not None:
        return found
    images = read_original(source, data)
    if isinstance(images, Stream):
        images = _unpacked(images, target, source, data, on_progress)
    return images


def read_original(path: Path, data: DataSet) -> Bytes | Stream:
    """The images as the original holds them, after a look at its labels and sizes.

    Raises:
        InputError: it is missing, damaged, or not this set.
    """
    if not path.exists():
        raise data.unreadable(path, "there is no such file or folder")
    try:
        for file, _ in data.files(path):
            if file.exists():
                require_regular(file)
        return data.read(path, data)
    except DAMAGED as error:
        raise _reason(error, path, data) from error


def _reason(error: Exception, source: Path, data: DataSet) -> InputError:
    if isinstance(error, InputError):
        return error
    words = error.args[0] if isinstance(error, KeyError) and error.args else error
    return data.unreadable(source, str(words) or type(error).__name__)


def cache_file(path: Path, cache: Path | None = None) -> Path:
    """Where the unpacked images of a file or folder are."""
    path = path.resolve()
    return (cache or path.parent) / f"{path.name}.images.npy"


def record_of(target: Path) -> dict[str, Any]:
    """What is known of an unpacked file; empty where there is none."""
    with suppress(OSError, ValueError):
        record = json.loads(_record(target).read_text())
        return record if isinstance(record, dict) else {}
    return {}


def _record(target: Path) -> Path:
    return target.with_suffix(".json")


def _source_stamp(source: Path, data: DataSet) -> dict[str, Any]:
    """What changes when the source does; the files of a folder may be there gzipped or plain."""
    files = [source]
    if source.is_dir():
        stems = {file.name.removesuffix(".gz") for file in data.originals}
        files = sorted(f for f in source.iterdir() if f.name.removesuffix(".gz") in stems)
    stats = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    return {"data_set": data.name, "shape": list(data.stored_shape), "source": stats}


def _valid(target: Path, source: Path, data: DataSet) -> Bytes | None:
    """The unpacked images, if they are whole and of this source."""
    if not (source.exists() and target.exists()):
        return None
    known = {key: value for key, value in record_of(target).items() if key != "sha256"}
    if known != _source_stamp(source, data):
        return None
    with suppress(OSError, ValueError):  # cut short: unpacked anew
        return _mapped(target, data)
    return None


def _mapped(target: Path, data: DataSet) -> Bytes | None:
    with open_regular(target) as file:
        header = read_header(file, target.stat().st_size)
    if header.shape != data.stored_shape or header.dtype != np.uint8 or header.fortran:
        return None
    # private: nothing is written back
    return np.memmap(target, np.uint8, mode="c", offset=header.offset, shape=header.shape)


def _unpacked(
    images: Stream, target: Path, source: Path, data: DataSet, on_progress: Watch | None
) -> Bytes:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target, wait=True):
            found = _valid(target, source, data)  # another process may have been faster
            if found is not None:
                return found
            digest = _write(images, target, source, data, on_progress)
            write_json(_record(target), _source_stamp(source, data) | {"sha256": digest})
            array = _mapped(target, data)
    except OSError as error:
        raise InputError(
            f"{source.name} cannot be unpacked into {target}: {error.strerror or error}. Give a "
            "cache folder that can be written to and has space left."
        ) from error
    if array is None:
        raise InputError(f"{target} was changed while it was opened. Try again.")
    return array


def _write(
    images: Stream, target: Path, source: Path, data: DataSet, on_progress: Watch | None
) -> str:
    """Write the array file whole or not at all; SHA-256 of its images."""
    total = int(np.prod(images.shape))
    require_space(target.parent, total, what=f"the unpacked images of {data.name}")
    digest, done = hashlib.sha256(), 0
    with replacing(target) as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": images.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in _blocks(images, source, data):
            content = np.ascontiguousarray(block).data.cast("B")
            file.write(content)
            digest.update(content)
            done += len(content)
            if on_progress is not None:
                on_progress(done, total)
        if done != total:
            raise data.unreadable(source, f"it holds {done:,} bytes of images, not {total:,}")
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _blocks(images: Stream, source: Path, data: DataSet) -> Iterator[Bytes]:
    """The blocks; trouble in the source comes out as such, and not as the cache's."""
    try:
        yield from images.blocks
    except DAMAGED as error:
        raise _reason(error, source, data) from error


def require_space(folder: Path, needed: int, *, what: str) -> None:
    """Nothing, if a folder's disk has room.

    Raises:
        InputError: it has not; both numbers are named.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise InputError(
            f"{what} need {needed / 2**20:,.0f} MiB in {folder}, and {free / 2**20:,.0f} MiB are "
            "free there. Make room, or give another folder."
        )
