"""Files are written whole or not at all, known by their digest, and read if they are files."""

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from identikit.core.errors import InputError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise InputError(
            f"{path} cannot be written: {error.strerror}. Choose a folder that can be written "
            "to and has space left."
        ) from error


def write_json(path: Path, data: object) -> None:
    """Write JSON; NaN and infinity become null.

    Raises:
        InputError: the file cannot be written.
    """
    write_atomically(path, (json.dumps(_finite(data), indent=1, allow_nan=False) + "\n").encode())


def open_regular(path: Path) -> BufferedReader:
    """A regular file opened for reading; a link to one is followed.

    Raises:
        InputError: a pipe, socket or device, at which a reader would wait or never end.
        OSError: it cannot be opened.
    """
    # without waiting, which opening a pipe would do until somebody writes to it
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        require_regular(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def require_regular(path: Path, found: os.stat_result | None = None) -> None:
    """Nothing, if what lies at a path is a file or a folder.

    Args:
        path: Where it is.
        found: What `os.stat` says of it, where that is known.

    Raises:
        InputError: a pipe, socket or device.
        OSError: nothing is there.
    """
    mode = (found or path.stat()).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kinds = {stat.S_ISFIFO: "pipe", stat.S_ISSOCK: "socket"}
        kind = next((word for test, word in kinds.items() if test(mode)), "device")
        raise InputError(f"{path} is a {kind}, not a file. Give a file.")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error


def _finite(data: object) -> object:
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data
