"""Fetching a file from its public address: resumed where it was cut, checked before it counts.

Pooch checks the digest and puts the file in its place; the transfer itself is ours, as pooch's
begins anew each time. What has come so far is NAME.part, beside it NAME.part.tag with the server's
tag of that version of the file; a resumed request asks for the rest on condition of that tag (HTTP
Range and If-Range, RFC 9110), so two versions are never glued together.
"""

import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pooch

from identikit.core.errors import InputError
from identikit.core.files import file_digest, locked, require_regular, write_atomically
from identikit.worlds.grids.data_set import DataSet, Original, Watch
from identikit.worlds.grids.unpacking import require_space

BLOCK = 2**20
TIMEOUT_S = 60.0
PAUSES_S = (0.0, 1.0, 5.0)
"""Before each attempt; a cut connection goes on where it was."""
_CUT = (http.client.HTTPException, TimeoutError, ConnectionError)


def fetch(data: DataSet, place: Path, *, on_progress: Watch | None = None) -> Path:
    """Download the original files of a set, each unless it is there already.

    Args:
        data: the set.
        place: where its file, or its folder of files, is to be; a file also goes into a folder.
        on_progress: is told how many bytes of how many of the current file have come.

    Returns:
        Where it is.

    Raises:
        InputError: no network, no such file at any address, a cut connection, another file than
            was expected, or no space; what has come so far is kept for the next try.
    """
    place = data.place(place)
    for target, original in data.files(place):
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target, wait=True):
            if target.exists():
                verify(target, original)
            else:
                _fetch_one(original, target, on_progress)
    return place


def verify(path: Path, original: Original) -> str | None:
    """The digest that a file was found to have, or None if there is none to compare with.

    Where nobody publishes a digest, that of the first download was recorded beside the file.

    Raises:
        InputError: it has another one; both are named.
    """
    require_regular(path)
    known = known_digest(path, original)
    if known is None:
        return None
    method, expected = known.split(":")
    found = pooch.file_hash(str(path), alg=method)
    if found != expected:
        raise InputError(
            f"{path} ({path.stat().st_size:,} bytes) is not {original}: its {method} is {found}, "
            f"not {expected}. It is damaged, cut short or another file. Move it away and fetch it."
        )
    return known


def known_digest(path: Path, original: Original) -> str | None:
    """The published digest, else the one recorded at the first download, else None."""
    if original.digest is not None:
        return original.digest
    with suppress(OSError):
        return _recorded(path).read_text().strip()
    return None


def _recorded(path: Path) -> Path:
    return path.with_name(f"{path.name}.digest")


def _fetch_one(original: Original, target: Path, on_progress: Watch | None) -> None:
    failures = []
    for url in original.urls:
        try:
            _retrieve(url, original, target, on_progress)
            break
        except _AddressError as error:
            failures.append(f"{url}: {error}")
    else:
        raise InputError(f"{original.name} could not be fetched. {' '.join(failures)}")
    if original.digest is None:  # trust on first use
        write_atomically(_recorded(target), f"sha256:{file_digest(target)}\n".encode())


class _AddressError(Exception):
    """One address did not give the file; another may."""


def _retrieve(url: str, original: Original, target: Path, on_progress: Watch | None) -> None:
    part = target.with_name(f"{target.name}.part")

    def hand_over(_: str, output: str, __: object) -> None:
        os.replace(part, output)
        _tag_of(part).unlink(missing_ok=True)

    pooch.get_logger().setLevel(logging.WARNING)  # the progress says it already
    try:
        _transfer_with_patience(url, part, original, on_progress)
        pooch.retrieve(
            url, original.digest, fname=target.name, path=target.parent, downloader=hand_over
        )
    except OSError as error:
        raise InputError(
            f"{target} cannot be written: {error.strerror or error}. What has come so far is kept; "
            "make room or choose another folder, and fetch again."
        ) from error
    except InputError:
        raise
    except ValueError as error:  # pooch's word for another digest; it has removed the file
        raise _AddressError(
            f"what came is not {original}. {str(error).splitlines()[0]} It was removed."
        ) from error


def _transfer_with_patience(
    url: str, part: Path, original: Original, on_progress: Watch | None
) -> None:
    for pause in PAUSES_S:
        time.sleep(pause)
        try:
            _transfer(url, part, original, on_progress)
            return
        except urllib.error.HTTPError as error:
            reason = f"the server answered {error.code} {error.reason}"
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                if error.headers.get("Content-Range") == f"bytes */{part.stat().st_size}":
                    return  # all of it had come
                part.unlink()  # not a part of this file
            elif error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                raise _AddressError(f"{reason}.") from error
        except urllib.error.URLError as error:
            reason = f"no connection ({error.reason})"
        except _CUT as error:
            reason = f"the connection was cut ({error or type(error).__name__})"
    kept = _resumable(part)
    raise _AddressError(
        f"{reason}, {len(PAUSES_S)} times; {kept:,} bytes are kept, and the same command goes on "
        "from there. Or get the file elsewhere and give its path."
    )


def _transfer(url: str, part: Path, original: Original, on_progress: Watch | None) -> None:
    """One request for what is missing; ends when all has come, raises when it has not."""
    tag, have = _tag_of(part), _resumable(part)
    headers = {"User-Agent": "identikit", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag.read_text()}
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # a new version, or a server that cannot resume
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else original.size or 0
        require_space(part.parent, max(0, total - have), what=original.name)
        first = response.read(BLOCK)
        if not first and have < total:
            raise ConnectionError(f"after {have:,} of {total:,} bytes")
        if not have:
            _require_kind(first, original, response)
            tag.write_text(_version(response))
        with part.open("ab" if have else "wb") as file:
            block = first
            while block:
                file.write(block)
                have += len(block)
                if on_progress is not None:
                    on_progress(have, max(total, have))
                block = response.read(BLOCK)
    if have < total:
        raise ConnectionError(f"after {have:,} of {total:,} bytes")


def _require_kind(first: bytes, original: Original, response: Any) -> None:
    if not first.startswith(original.starts_with):
        kind = response.headers.get_content_type()
        raise _AddressError(
            f"the server gave something of type {kind} that begins with {first[:16]!r}, not "
            f"{original.name}. The file has probably moved."
        )


def _tag_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _resumable(part: Path) -> int:
    """Bytes that have come of a known version."""
    known = part.exists() and _tag_of(part).exists() and _tag_of(part).read_text()
    return part.stat().st_size if known else 0


def _version(response: Any) -> str:
    """What tells this version of the file from another: a strong tag, a date, or nothing."""
    tag = str(response.headers.get("ETag", "W/"))
    return str(response.headers.get("Last-Modified", "")) if tag.startswith("W/") else tag
