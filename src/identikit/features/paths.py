"""Which files features are read from, in natural order: shard-2 before shard-10.

.npy files may come in parts that belong together: features-00003.npy with keys-00003.npy,
x-00003.npy, ...; or h.npy with NAME.npy.
"""

import glob
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from identikit.core.errors import InputError
from identikit.core.files import require_inside

FEATURES = ("h", "features")
"""Names of the matrix of features in a file."""
OF_RUN = "features"
"""Folder of the features of a run that trained an encoder."""
SUFFIXES = (".npy", ".npz", ".parquet", ".safetensors")
Paths = str | Path | Sequence[str | Path]


def suffix_of(path: Path) -> str:
    """What a file's name says it is, in lower case: .npy, .csv.gz."""
    last = path.suffix.lower()
    return path.with_suffix("").suffix.lower() + last if last == ".gz" else last


def files_of(features: Paths) -> list[Path]:
    """Every file that features may be read from, for a digest."""
    inside = [sorted(p.rglob("*")) if p.is_dir() else [p] for p in listed(features)]
    return [path for group in inside for path in group if not path.is_dir()]


def plain_name(path: Path) -> str:
    """A file's name without the ending that says its format; that of a folder may have dots."""
    kind = suffix_of(path)
    return path.name[: -len(kind)] if kind in SUFFIXES else path.name


def listed(features: Paths) -> list[Path]:
    """The files or folders that are named, patterns among them.

    What a pattern fits is put in natural order. So are several that were named in the order of the
    alphabet, as a shell names those that a pattern fits; any other order is somebody's choice.

    Raises:
        InputError: a pattern that nothing fits, or a file that is named twice.
    """
    given = [Path(features)] if isinstance(features, str | Path) else [Path(f) for f in features]
    found = [path for one in given for path in sorted(_expanded(one), key=natural)]
    twice = [path for path, times in Counter(found).items() if times > 1]
    if twice:
        raise InputError(f"{twice[0]} is named twice. Name each file once.")
    by_letters = [sorted(given), sorted(given, key=lambda path: str(path).casefold())]
    return sorted(found, key=natural) if given in by_letters else found


def files_in(folder: Path) -> list[Path]:
    """The shards in a folder.

    Raises:
        InputError: none, files of several kinds, or a link that leaves the folder.
    """
    known = [p for p in folder.iterdir() if suffix_of(p) in SUFFIXES and p.name[0] != "."]
    kinds = sorted({suffix_of(path) for path in known})
    if len(kinds) != 1:
        raise InputError(
            f"{folder} must hold shards of one kind ({', '.join(SUFFIXES)}); it has "
            f"{' and '.join(kinds) or 'none'}. Give a pattern, such as '{folder}/*.npy'."
        )
    for path in known:
        require_inside(path, folder, remedy=f"Name the files themselves, such as '{path}'.")
    return sorted(known, key=natural)


def grouped(paths: list[Path]) -> list[tuple[Path, dict[str, Path]]]:
    """Files of features with the .npy files that belong to each, by their names.

    Raises:
        InputError: files that belong to no features, or of one name and number twice.
    """
    parts = {path: _name_and_number(path) for path in paths}
    main = [p for p in paths if suffix_of(p) == ".npy" and parts[p][0] in FEATURES]
    if not main:
        return [(path, {}) for path in paths]
    found: dict[tuple[Path, str], tuple[Path, dict[str, Path]]] = {}
    for path in main:
        _, number = parts[path]
        if (path.parent, number) in found:
            other = found[path.parent, number][0]
            raise InputError(f"{path} and {other} are both features of one part. Remove one.")
        found[path.parent, number] = path, {}
    for path in (p for p in paths if p not in main):
        name, number = parts[path]
        if (path.parent, number) not in found:
            raise InputError(f"{path} belongs to no file of features: no h of its number is there.")
        belonging = found[path.parent, number][1]
        if name in belonging:
            raise InputError(f"{path} and {belonging[name]} have one name. Remove one.")
        belonging[name] = path
    return list(found.values())


def _expanded(path: Path) -> list[Path]:
    """What a pattern fits; the part of it that is there is taken by its letters.

    Of a run that trained an encoder the features that it keeps.
    """
    if (path / OF_RUN / "manifest.json").exists():
        return [path / OF_RUN]
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    there = next(folder for folder in path.parents if folder.exists() or folder.parent == folder)
    pattern = Path(glob.escape(str(there))) / path.relative_to(there)
    found = [Path(one) for one in glob.glob(str(pattern))]
    if not found:
        raise InputError(f"no file is called {path}.")
    return found


def natural(path: Path | str) -> list[tuple[int, str]]:
    """Sorts numbers in names by their size."""
    words = re.split(r"([0-9]+)", str(path))
    return [(int(word), "") if j % 2 else (-1, word) for j, word in enumerate(words)]


def _name_and_number(path: Path) -> tuple[str, str]:
    found = re.fullmatch(r"(.+?)(?:[-_](\d+))?", path.stem)
    return (found[1], found[2] or "") if found else (path.stem, "")
