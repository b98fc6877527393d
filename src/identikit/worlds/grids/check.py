"""Is what lies at a path the published set, and are its unpacked images whole?"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from identikit.core.errors import InputError
from identikit.worlds.grids.data_set import DataSet
from identikit.worlds.grids.download import verify
from identikit.worlds.grids.registry import DATA_SETS, data_set
from identikit.worlds.grids.unpacking import cache_file, open_images, read_original, record_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found right; what is wrong is raised."""

    name: str
    """Of the set."""
    images: int
    digests: dict[str, str | None]
    """By file; None where there is no published or recorded checksum to compare with."""
    unpacked: Path | None
    """The file of unpacked images beside it, if there is one."""


def check_files(path: Path, *, name: str | None = None) -> Checked:
    """Compare checksums, then labels and sizes, then what was unpacked.

    Args:
        path: an original file, or the folder of a set of several.
        name: the set; by default told from the file names.

    Raises:
        InputError: it is not a known set, or not the original one, or its cache is damaged.
    """
    data = recognised(path) if name is None else data_set(name)
    path = data.place(path)
    files = data.files(path)
    digests = {str(file): verify(file, original) for file, original in files if file.exists()}
    read_original(path, data)
    return Checked(
        name=data.name, images=data.grid.size, digests=digests, unpacked=_unpacked(path, data)
    )


def recognised(path: Path) -> DataSet:
    """The set that a file or folder is of, by the names of its files.

    Raises:
        InputError: no set has a file of that name.
    """
    found = {file.name for file in path.iterdir()} if path.is_dir() else {path.name}
    for data in DATA_SETS.values():
        if found & {
            name for file in data.originals for name in (file.name, file.name.removesuffix(".gz"))
        }:
            return data
    raise InputError(
        f"{path} has not the file name of any known set. Say which it is with --name, one of: "
        f"{', '.join(sorted(DATA_SETS))}."
    )


def _unpacked(path: Path, data: DataSet) -> Path | None:
    target = cache_file(path)
    expected = record_of(target).get("sha256")
    if not target.exists() or expected is None:
        return None
    digest = hashlib.sha256(open_images(path, data).data).hexdigest()
    if digest != expected:
        raise InputError(
            f"{target} has changed since it was unpacked: its images have sha256 {digest}, not "
            f"{expected}. Delete it; it is made anew."
        )
    return target
