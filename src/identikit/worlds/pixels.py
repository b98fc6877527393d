"""Pixels of many images in one file, decoded once: n x c x side x side bytes, mapped when read.

FOLDER/pixels.bin    the images one after another
FOLDER/pixels.json   their keys and shape, those that could not be read and why, and what they
                     were made of; written last, so that a file that it names is whole
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from identikit.core.config import from_dict
from identikit.core.errors import InputError
from identikit.core.files import read_regular, write_json, writing

_PIXELS, _LIST = "pixels.bin", "pixels.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelList:
    """What a file of pixels holds."""

    keys: tuple[str, ...]
    shape: tuple[int, int, int]
    """Channels and sides."""
    made_of: dict[str, Any]
    """What would make the same file."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Why, by key."""


def read_list(folder: Path) -> PixelList | None:
    """What is there; None if nothing is."""
    path = folder / _LIST
    try:
        return from_dict(PixelList, json.loads(read_regular(path))) if path.exists() else None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}. Give --restart.") from error


def read_pixels(folder: Path, found: PixelList) -> UInt8[Tensor, "n c side side"]:
    """The images, mapped where they lie.

    Raises:
        InputError: the file is not as long as its list says.
    """
    path, shape = folder / _PIXELS, (len(found.keys), *found.shape)
    size = torch.Size(shape).numel()
    if not path.exists() or path.stat().st_size != size:
        raise InputError(f"{path} is missing or was cut short. Give --restart.")
    return torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8).view(shape)


def write_pixels(
    folder: Path,
    blocks: Iterator[UInt8[Tensor, "block c side side"]],
    *,
    keys: tuple[str, ...],
    made_of: Mapping[str, Any],
    unreadable: Mapping[str, str],
) -> PixelList:
    """Write images as they come, and then what they are.

    Args:
        folder: Where to.
        blocks: All images in their order, without those that cannot be read.
        keys: Of all.
        made_of: What would make the same file.
        unreadable: Filled in while blocks are read: why an image is not there, by key.

    Raises:
        InputError: images of different shapes, or a disk that is full.
    """
    shape: tuple[int, ...] | None = None
    with writing(folder / _PIXELS) as file:
        for block in blocks:
            shape = tuple(block.shape[1:]) if shape is None else shape
            if tuple(block.shape[1:]) != shape:
                raise InputError(
                    f"images have {' and '.join(map(str, (shape, tuple(block.shape[1:]))))} for "
                    "channels, height and width; all must be alike. Give --size, or convert them."
                )
            file.write(block.contiguous().numpy().tobytes())
    channels, height, width = shape or (0, 0, 0)
    found = PixelList(
        keys=tuple(key for key in keys if key not in unreadable),
        shape=(channels, height, width),
        made_of=dict(made_of),
        unreadable=dict(unreadable),
    )
    write_json(folder / _LIST, asdict(found))
    return found


def as_pixels(x: Tensor, side: int | None) -> UInt8[Tensor, "n c side side"]:
    """Images of any usual kind as square pixels of 8 bits.

    Args:
        x: (n, c, height, width) or, grey, (n, height, width): 8 bits, or floats in [0, 1].
        side: Of the squares; their own if not given.

    Raises:
        InputError: no images, or floats beyond [0, 1].
    """
    x = x[:, None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise InputError(
            f"images must be (n, channels, height, width) with 1 or 3 channels; got shape "
            f"{tuple(x.shape)}."
        )
    if x.is_floating_point():
        if not bool(torch.isfinite(x).all()) or x.min() < 0 or x.max() > 1:
            raise InputError(
                f"images in floats must lie in [0, 1]; got {x.min():g} to {x.max():g}. Divide them "
                "by 255, or leave normalisation out: training does its own."
            )
        x = (255 * x).round()
    elif x.dtype != torch.uint8:
        raise InputError(f"images must be uint8 or floats in [0, 1]; got {x.dtype}.")
    side = side or min(x.shape[2:])
    if x.shape[2:] != (side, side):
        height, width = x.shape[2:]
        cut = min(height, width)
        top, left = (height - cut) // 2, (width - cut) // 2
        x = x[:, :, top : top + cut, left : left + cut].float()
        x = F.interpolate(x, (side, side), mode="bilinear", antialias=True).round().clamp(0, 255)
    return x.to(torch.uint8)
