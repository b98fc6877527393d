"""Which files features are read from, in natural order: shard-2 before shard-10.

.npy files may come in parts that belong together: features-00003.npy with keys-00003.npy,
x-00003.npy, ...; or h.npy with NAME.npy.
"""

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from identikit.core.errors import InputError

FEATURES = ("h", "features")
"""Names of the matrix of features in a file."""
SUFFIXES = (".npy", ".npz", ".parquet", ".safetensors")
Paths = str | Path | Sequence[str | Path]


def files_of(features: Paths) -> list[Path]:
    """Every file that features may be read from, for a digest."""
    inside = [sorted(p.rglob("*")) if p.is_dir() else [p] for p in listed(features)]
    return [path for group in inside for path in group if not path.is_dir()]


def listed(features: Paths) -> list[Path]:
    """The files or folders that are named, patterns among them, in natural order.

    Raises:
        InputError: a pattern that nothing fits.
    """
    given = [features] if isinstance(features, str | Path) else features
    found = [path for one in given for path in _expanded(Path(one))]
    return sorted(dict.fromkeys(found), key=_natural)


def files_in(folder: Path) -> list[Path]:
    """The shards in a folder.

    Raises:
        InputError: none, or files of several kinds.
    """
    known = [p for p in folder.iterdir() if p.suffix in SUFFIXES and not p.name.startswith(".")]
    kinds = sorted({path.suffix for path in known})
    if len(kinds) != 1:
        raise InputError(
            f"{folder} must hold shards of one kind ({', '.join(SUFFIXES)}); it has "
            f"{' and '.join(kinds) or 'none'}. Give a pattern, such as '{folder}/*.npy'."
        )
    return sorted(known, key=_natural)


def grouped(paths: list[Path]) -> list[tuple[Path, dict[str, Path]]]:
    """Files of features with the .npy files that belong to each, by their names."""
    parts = {path: _name_and_number(path) for path in paths}
    main = [p for p in paths if p.suffix == ".npy" and parts[p][0] in FEATURES]
    if not main:
        return [(path, {}) for path in paths]
    return [
        (
            path,
            {
                name: other
                for other, (name, number) in parts.items()
                if other != path and (other.parent, number) == (path.parent, parts[path][1])
            },
        )
        for path in main
    ]


def _expanded(path: Path) -> list[Path]:
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    found = [Path(one) for one in glob.glob(str(path))]
    if not found:
        raise InputError(f"no file is called {path}.")
    return found


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts numbers in names by their size."""
    words = re.split(r"(\d+)", str(path))
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


def _name_and_number(path: Path) -> tuple[str, str]:
    found = re.fullmatch(r"(.+?)(?:[-_](\d+))?", path.stem)
    return (found[1], found[2] or "") if found else (path.stem, "")
