"""Images in a folder, and the batches that a network is fed with.

A key is an image's path relative to the folder, with `/`: `val/n01440764/0001.JPEG`. Images are
found in all subfolders, in the order of their keys; names that start with a dot are none. They are
decoded to RGB by Pillow (see `images`), as torchvision's ImageFolder does it, in processes of their
own.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from identikit.core.errors import InputError
from identikit.worlds.images import UnreadableImageError, open_image, pillow

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Image files by their keys."""

    folder: Path
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def digest(self) -> str:
        """SHA-256 of the keys in their order."""
        return hashlib.sha256("\n".join(self.keys).encode()).hexdigest()


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
    found = [key for key in found if key.lower().endswith(EXTENSIONS)]
    if not found:
        raise InputError(
            f"{folder} holds no images ({', '.join(EXTENSIONS)}), nor do its subfolders."
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
    return Images(folder=folder, keys=tuple(found))


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
    root = os.path.realpath(folder)
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
                _require_inside(entry, root, folder, key)
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


def _require_inside(entry: os.DirEntry[str], root: str, folder: Path, key: str) -> None:
    target = os.path.realpath(entry.path)
    if os.path.commonpath([target, root]) != root:
        raise InputError(
            f"{key} in {folder} is a link that leaves the folder, to {target}. Give --follow-links "
            "(follow_links) if that is meant, or remove it."
        )


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
        )


def _count(keys: Sequence[str], what: str) -> str:
    verb = "is" if len(keys) == 1 else "are"
    examples = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
    return f"{len(keys):,} {what}{'s' if len(keys) > 1 else ''} ({examples}) {verb}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Images that were decoded and prepared, and those that could not be."""

    x: Tensor
    """(n, channels, height, width); no rows if none could be read."""
    unreadable: dict[int, str]
    """Why, by index."""

    def pin_memory(self) -> "Batch":
        """In page-locked memory, from where a copy to a device need not be waited for."""
        return Batch(x=self.x.pin_memory(), unreadable=self.unreadable)


def image_batches(
    images: Images,
    batches: Sequence[Sequence[int]],
    *,
    transform: Callable[[Any], Tensor],
    workers: int,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """Decode images and prepare them, several batches ahead.

    Args:
        images: All images.
        batches: Which of them make each batch, by index.
        transform: From a PIL image in RGB to (channels, height, width).
        workers: Processes that do it; 0 for this one.
        pin_memory: For copies to a CUDA device.

    Raises:
        InputError: a process died, for want of (shared) memory as a rule.
    """
    pillow()  # missed here, and not in a process of its own
    loader = DataLoader(
        _Decoded(images, transform),
        batch_sampler=batches,  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise InputError(
            f"a process that loads images died: {error}. Give fewer --workers, or a smaller "
            "--batch-size; in a container, more shared memory."
        ) from error


class _Decoded(Dataset[tuple[int, Tensor | str]]):
    """Images by index: the tensor, or why there is none.

    Keys are one array, not a million Python objects, whose reference counts would have every
    process copy their memory page by page.
    """

    def __init__(self, images: Images, transform: Callable[[Any], Tensor]) -> None:
        self.folder = images.folder
        self.keys = np.array([os.fsencode(key) for key in images.keys])
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[int, Tensor | str]:
        try:
            image = open_image(self.folder / os.fsdecode(self.keys[index]))
        except UnreadableImageError as error:
            return index, str(error)
        return index, self.transform(image)


def _collate(items: Sequence[tuple[int, Tensor | str]]) -> Batch:
    good = [item for _, item in items if isinstance(item, Tensor)]
    bad = {index: item for index, item in items if isinstance(item, str)}
    return Batch(x=torch.stack(good) if good else torch.empty(0), unreadable=bad)
