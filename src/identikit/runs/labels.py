"""Names and tags that a user gives a run, kept in its folder, where they go wherever it goes."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from identikit.core.errors import InputError
from identikit.core.files import read_regular, require_inside, write_json

LABELS_FILE = "labels.json"


@dataclass(frozen=True, slots=True)
class Labels:
    """What a run is called beside its folder's name."""

    name: str = ""
    tags: tuple[str, ...] = ()


def read_labels(folder: Path) -> Labels:
    """The labels in the folder of a run; none where no such file is, or it holds something else."""
    path = folder / LABELS_FILE
    try:
        require_inside(path, folder, remedy="Remove it.")
        found = json.loads(read_regular(path))
        return Labels(str(found["name"]), tuple(map(str, found["tags"])))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # InputError is a ValueError
        return Labels()


def set_name(folder: Path, name: str) -> None:
    """Give a run a name, or take it away with an empty one.

    Raises:
        InputError: a name that could be taken for a path or an option.
    """
    _write(folder, replace(read_labels(folder), name=_plain(name) if name else ""))


def set_tags(folder: Path, add: tuple[str, ...], remove: tuple[str, ...]) -> tuple[str, ...]:
    """Add tags to a run and take others away; those that it has then.

    Raises:
        InputError: a tag that could be taken for a path or an option.
    """
    labels = read_labels(folder)
    tags = dict.fromkeys((*labels.tags, *map(_plain, add)))
    labels = replace(labels, tags=tuple(tag for tag in tags if tag not in remove))
    _write(folder, labels)
    return labels.tags


def _plain(word: str) -> str:
    if not word.strip() or "/" in word or word.startswith(("-", ".")) or not word.isprintable():
        raise InputError(
            f"a name or tag is words without slashes that begin with no dash or dot; got {word!r}."
        )
    return word


def _write(folder: Path, labels: Labels) -> None:
    write_json(folder / LABELS_FILE, asdict(labels))
