"""Images in a folder, and the batches that a network is fed with.

A key is an image's path relative to the folder, with `/`: `val/n01440764/0001.JPEG`. Images are
found in all subfolders, in the order of their keys; names that start with a dot are none. They are
decoded to RGB by Pillow, as torchvision's ImageFolder does it, in processes of their own.
"""

import hashlib
import os
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from identikit.core.errors import InputError, optional_module

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff")
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises on files that are cut short, damaged or something else."""


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


def find_images(folder: Path, *, keys: Collection[str] | None = None) -> Images:
    """All images of a folder, or those with the given keys.

    Raises:
        InputError: not a folder, no images, keys that are no images of it or come twice.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder. Give the folder of images; subfolders are searched too."
        )
    found = sorted(_walk(folder))
    if not found:
        raise InputError(
            f"{folder} holds no images ({', '.join(EXTENSIONS)}), nor do its subfolders."
        )
    if keys is not None:
        _refuse_keys(folder, keys, found)
        wanted = set(keys)
        found = [key for key in found if key in wanted]
    return Images(folder=folder, keys=tuple(found))


def _walk(folder: Path) -> Iterator[str]:
    seen: set[str] = set()
    for place, subfolders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        subfolders[:] = [] if real in seen else [name for name in subfolders if name[0] != "."]
        if real in seen:  # a link back up
            continue
        seen.add(real)
        for name in files:
            if name[0] != "." and name.lower().endswith(EXTENSIONS):
                yield Path(place, name).relative_to(folder).as_posix()


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
    _pillow()  # missed here, and not in a process of its own
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
            image = _rgb(self.folder / os.fsdecode(self.keys[index]))
        except _UNREADABLE as error:
            return index, str(error) or type(error).__name__
        return index, self.transform(image)


def _rgb(path: Path) -> Any:
    pillow = _pillow()
    try:
        with pillow.open(path) as image:
            return image.convert("RGB")
    except pillow.DecompressionBombError as error:
        raise ValueError(str(error)) from error


def _pillow() -> Any:
    return optional_module("PIL.Image", what="reading of images", extra="vision")


def _collate(items: Sequence[tuple[int, Tensor | str]]) -> Batch:
    good = [item for _, item in items if isinstance(item, Tensor)]
    bad = {index: item for index, item in items if isinstance(item, str)}
    return Batch(x=torch.stack(good) if good else torch.empty(0), unreadable=bad)
