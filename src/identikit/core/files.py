"""Files are written whole or not at all, known by their digest, and read if they are files."""

import fcntl
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from io import BufferedReader, BufferedWriter
from pathlib import Path

from filelock import FileLock, Timeout

from identikit.core.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[BufferedWriter]:
    """A file beside a place, open for writing, that is moved there when it is whole.

    Others that were left there by processes that were killed are removed first: whoever writes one
    holds a lock on it.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    for left in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def writing(path: Path) -> Iterator[BufferedWriter]:
    """A file that is written whole or not at all, in a folder that is made for it.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}. Choose a folder that can be written "
            "to and has space left."
        ) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    with writing(path) as file:
        file.write(content)


def write_json(path: Path, data: object) -> None:
    """Write JSON; NaN and infinity become null.

    Raises:
        InputError: the file cannot be written.
    """
    write_atomically(path, (json.dumps(_finite(data), indent=1, allow_nan=False) + "\n").encode())


def is_free(folder: Path) -> bool:
    """Whether nothing stands in the place of a folder, or one in which a write was killed at most.

    Raises:
        OSError: it may not be looked into.
    """
    if not folder.is_dir():
        return not folder.exists()
    return all(re.fullmatch(r"\..+\.\d+\.tmp", path.name) for path in folder.iterdir())


@contextmanager
def locked(target: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a file or folder for this process; the kernel lets go of it when the process dies.

    The file of the lock, `.NAME.lock`, is removed while it is still held, so whoever waits may win
    the lock of a file that is gone; filelock (since 3.24) looks at the link count then, and tries
    again.

    Args:
        target: What is held.
        wait: Wait for another process that holds it.

    Raises:
        InputError: another process holds it.
        OSError: the folder cannot be written to.
    """
    lock = FileLock(lock_file(target), timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"another process is writing {target} right now. Wait for it, or give --out "
            "another folder."
        ) from error
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def lock_file(target: Path) -> Path:
    """Which is there while somebody holds the target, and after such a one was killed."""
    return target.parent / f".{target.name}.lock"


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


def read_regular(path: Path) -> bytes:
    """What is in a regular file; a link to one is followed.

    Raises:
        InputError: a pipe, socket or device, at which a reader would wait or never end.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        return file.read()


def require_inside(path: str | Path, folder: Path, *, remedy: str) -> None:
    """Nothing, unless a link leads from a place in a folder out of it.

    Args:
        path: The place.
        folder: Which may be a link itself.
        remedy: What would do, as a sentence.

    Raises:
        InputError: it does; what would do is said.
    """
    root, target = os.path.realpath(folder), os.path.realpath(path)
    if os.path.commonpath([root, target]) != root:
        raise InputError(f"{path} is a link that leaves its folder, to {target}. {remedy}")


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
