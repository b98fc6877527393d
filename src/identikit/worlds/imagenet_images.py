"""The validation images of ILSVRC 2012 as they lie on people's disks: number -> path.

Known layouts, also mixed, with any spelling of the ending:

    DIR/ILSVRC2012_val_00000293.JPEG                  as they come
    DIR/n01440764/ILSVRC2012_val_00000293.JPEG        a folder per class
    DIR/.../ILSVRC2012_val_00000293_n01440764.JPEG    with the class in the name

Source: Russakovsky et al., *ImageNet Large Scale Visual Recognition Challenge* (2015). The images
do not come with identikit.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.image_folder import walk
from identikit.worlds.imagenet_x import file_name_of

_NAME = re.compile(r"ILSVRC2012_val_(\d{8})(?:_n\d{8})?\.jpe?g", re.IGNORECASE)
_TRAINING = re.compile(r"n\d{8}_\d+\.jpe?g", re.IGNORECASE)
_TEST = re.compile(r"ILSVRC2012_test_\d{8}", re.IGNORECASE)
_WANTED = (
    "the folder of ImageNet's validation images: ILSVRC2012_val_00000001.JPEG and so on, as they "
    "are or in a folder per class"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationImages:
    """Which of the wanted images are there."""

    paths: dict[int, Path]
    """By number, in the order of numbers."""
    missing: tuple[int, ...]

    @property
    def numbers(self) -> Int[Tensor, " n"]:
        """Of the images that are there."""
        return torch.tensor(list(self.paths), dtype=torch.long)

    @property
    def share(self) -> float:
        """Of the wanted images, how many are there."""
        return len(self.paths) / (len(self.paths) + len(self.missing))


def find_validation_images(
    folder: Path,
    wanted: Int[Tensor, " n"],
    *,
    partial: bool = False,
    follow_links: bool = False,
) -> ValidationImages:
    """Find validation images in a folder or in the folders right under it.

    Args:
        folder: Where they lie.
        wanted: Their numbers.
        partial: Go on with those that are there.
        follow_links: Also go where links lead that leave the folder.

    Raises:
        InputError: not a folder, none of the images, an image that is there twice, a link that
            leaves the folder, or, unless `partial`, an image that is missing.
    """
    found = _all_images(folder, follow_links=follow_links)
    numbers = sorted(wanted.tolist())
    there = {number: found[number] for number in numbers if number in found}
    missing = tuple(number for number in numbers if number not in found)
    if not there:
        raise InputError(
            f"{folder} holds {len(found):,} validation images, but none of those wanted "
            f"({_examples(missing)}). Give {_WANTED}."
        )
    if missing and not partial:
        raise InputError(
            f"{folder} lacks {len(missing):,} of {len(numbers):,} images ({_examples(missing)}). "
            "Add them, or give --partial to go on with those that are there."
        )
    return ValidationImages(paths=there, missing=missing)


def _all_images(folder: Path, *, follow_links: bool) -> dict[int, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder. Give {_WANTED}.")
    found: dict[int, Path] = {}
    others: list[str] = []
    for path in (Path(e.path) for e in walk(folder, follow_links=follow_links, depth=1)):
        match = _NAME.fullmatch(path.name)
        if match is None:
            others.append(path.name)
            continue
        number = int(match[1])
        if number in found:
            raise InputError(
                f"{folder} holds image {number} twice: {found[number]} and {path}. "
                "Keep one of them."
            )
        found[number] = path
    if not found:
        raise InputError(f"{folder} holds no validation image{_instead(folder, others)}.")
    return found


def _instead(folder: Path, others: list[str]) -> str:
    """What is there in their place, and what would do."""
    for pattern, name in ((_TRAINING, "training"), (_TEST, "test")):
        if any(pattern.match(other) for other in others):
            return f"; it looks like the {name} images. Give {_WANTED}"
    for nearer in (p for p in sorted(folder.glob("*/")) if p.name.lower() in ("val", "validation")):
        return f", but {nearer} may. Give {_WANTED}"
    example = f", such as {sorted(others)[0]}" if others else ""
    return f" ({len(others):,} other files{example}). Give {_WANTED}"


def _examples(numbers: tuple[int, ...]) -> str:
    names = ", ".join(file_name_of(number) for number in numbers[:3])
    return names + (", ..." if len(numbers) > 3 else "")
