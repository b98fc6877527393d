"""Images in a folder, as the samples that a network is fed with.

A key is an image's path relative to the folder, with `/`: `val/n01440764/0001.JPEG`. Images are
found in all subfolders, in the order of their keys; names that start with a dot are none. They are
decoded to upright RGB by Pillow (see `images`).
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from identikit.core.errors import InputError, in_words, look_alikes
from identikit.core.files import require_inside
from identikit.worlds.batches import Failed, Item, Unreadable
from identikit.worlds.images import UnreadableImageError, open_image, pillow

EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)

_LINKS = "Give --follow-links (follow_links) if that is meant, or remove it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Image files by their keys."""

    folder: Path
    keys: tuple[str, ...]
    passed_over: dict[str, int] = field(default_factory=dict)
    """How many other files lie in the folder, by the ending of their names."""
    groups: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def digest(self) -> str:
        """SHA-256 of the keys in their order."""
        return hashlib.sha256("\n".join(self.keys).encode()).hexdigest()

    def settings(self) -> dict[str, Any]:
        """What they are known by: their folder and keys."""
        return {
            "images": str(self.folder.resolve()),
            "images_count": len(self),
            "images_sha256": self.digest(),
        }

    def prepared(self, transform: Callable[[Any], Tensor]) -> Dataset[Item]:
        """The images, each opened when it is asked for."""
        pillow()  # missed here, and not in a process of its own
        return _Decoded(self, transform)


def find_images(
    folder: Path, *, keys: Collection[str] | None = None, follow_links: bool = False
) -> Images:
    """All images of a folder, or those with the given keys.

    Args:
        folder: Where they lie.
        keys: Of the images that are wanted; all if not given.
        follow_links: Also go where links lead that leave the folder.

    Raises:
        InputError: not a folder, no images, links that leave it, names that are no text, keys that
            are no images of it or come twice.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder. Give the folder of images; subfolders are searched too."
        )
    found = sorted(entry.key for entry in walk(folder, follow_links=follow_links))
    others = Counter(
        PurePosixPath(key).suffix.lower() for key in found if not key.lower().endswith(EXTENSIONS)
    )
    found = [key for key in found if key.lower().endswith(EXTENSIONS)]
    if not found:
        raise InputError(
            f"{folder} holds no images ({', '.join(EXTENSIONS)}), nor do its subfolders; other "
            f"files: {sum(others.values()):,}{_endings(others)}."
        )
    no_text = [ascii(key) for key in found if not _is_text(key)]
    if no_text:
        raise InputError(
            f"the names of {len(no_text):,} images in {folder} are not UTF-8, such as "
            f"{no_text[0]}. Rename them: keys are text."
        )
    if keys is not None:
        _refuse_keys(folder, keys, found)
        wanted = set(keys)
        found = [key for key in found if key in wanted]
    return Images(folder=folder, keys=tuple(found), passed_over=dict(sorted(others.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is no folder, in a folder or its subfolders."""

    key: str
    """Path relative to the folder, with `/`."""
    path: str


def walk(folder: Path, *, follow_links: bool, depth: int | None = None) -> Iterator[Entry]:
    """What lies in a folder and its subfolders; names that start with a dot are passed over.

    Args:
        folder: Where to begin.
        follow_links: Also go where links lead that leave the folder.
        depth: How many levels of subfolders to look into; all if not given.

    Raises:
        InputError: a link that leaves the folder, unless these are followed, or a folder that may
            not be looked into.
    """
    seen: set[str] = set()
    todo = [(os.fspath(folder), "", 0)]
    while todo:
        place, prefix, level = todo.pop()
        real = os.path.realpath(place)
        if real in seen:  # a link back up
            continue
        seen.add(real)
        for entry in _entries(place):
            if entry.name[0] == ".":
                continue
            key = prefix + entry.name
            if entry.is_symlink() and not follow_links:
                require_inside(entry.path, folder, remedy=_LINKS)
            if not entry.is_dir():
                yield Entry(key=key, path=entry.path)
            elif depth is None or level < depth:
                todo.append((entry.path, f"{key}/", level + 1))


def _entries(place: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{place} cannot be looked into: {error.strerror}.") from error


def _endings(counts: Mapping[str, int]) -> str:
    found = ", ".join(f"{count:,} {ending or 'without'}" for ending, count in counts.items())
    return f" ({found})" if found else ""


def _is_text(name: str) -> bool:
    try:
        name.encode()
        return True
    except UnicodeEncodeError:
        return False


def _refuse_keys(folder: Path, keys: Collection[str], found: Sequence[str]) -> None:
    twice = [key for key, times in Counter(keys).items() if times > 1]
    if twice:
        raise InputError(f"{_count(twice, 'key')} more than once. Keep one row of each.")
    missing = sorted(set(keys) - set(found))
    if missing:
        raise InputError(
            f"{_count(missing, 'key')} not among the {len(found):,} images of {folder}, such as "
            f"{found[0]}. A key is an image's path relative to the folder."
            f"{look_alikes(missing, found)}"
        )


def _count(keys: Sequence[str], what: str) -> str:
    verb = "is" if len(keys) == 1 else "are"
    examples = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
    return f"{len(keys):,} {what}{'s' if len(keys) > 1 else ''} ({examples}) {verb}"


class _Decoded(Dataset[Item]):
    """Images by index: the tensor, or why there is none.

    Keys are one array, not a million Python objects, whose reference counts would have every
    process copy their memory page by page.
    """

    def __init__(self, images: Images, transform: Callable[[Any], Any]) -> None:
        self.folder = images.folder
        self.keys = np.array([os.fsencode(key) for key in images.keys])
        self.transform = transform

    def __getitem__(self, index: int) -> Item:
        try:
            image = open_image(self.folder / os.fsdecode(self.keys[index]))
        except UnreadableImageError as error:
            return index, Unreadable(str(error))
        try:
            made = self.transform(image)
        except Exception as error:
            width, height = image.size
            return index, Failed(
                f"the transform fails on its {width} x {height} pixels: {in_words(error)}"
            )
        if not isinstance(made, Tensor):
            return index, Failed(f"the transform made {type(made).__name__} of it, not a tensor")
        return index, made
