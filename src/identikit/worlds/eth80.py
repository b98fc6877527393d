"""ETH-80: x = photograph of object o of category c from angle e and azimuth a: 8 x 10 x 41 images.

Source: Leibe and Schiele, *Analyzing appearance and contour based methods for object
categorization*, CVPR 2003. The file stays with its owner and is read from a path: a .zip with
square images of one size and a table `factors.csv` (key, category, object, elevation, azimuth in
degrees; a key is an image's name).

The published "elevation" is the angle from the vertical: 0 is from above, 90 level with the object.
66 and 68 are one ring of views, written in two ways. From above there is one picture and no
azimuth; apples, pears and tomatoes have no front.
"""

import csv
import io
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factor, Factors, Kind
from identikit.core.files import open_regular
from identikit.worlds.images import UnreadableImageError, read_image

FRONTLESS = ("apple", "pear", "tomato")
RING = {66: 67, 68: 67}
"""Angles that are one ring of views."""
TABLE = "factors.csv"
_COLUMNS = ("key", "category", "object", "elevation", "azimuth")
_MOST = 2**25
"""Bytes of the table, or of an image."""
Members = dict[str, zipfile.ZipInfo]
"""Files of an archive by their names, whatever folder they lie in."""
_WANTED = f"the .zip of ETH-80's images with {TABLE} ({', '.join(_COLUMNS)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Eth80:
    """The photographs in the order of the table, and what is known of each."""

    pixels: UInt8[Tensor, "n 3 side side"]
    keys: tuple[str, ...]
    object: Int[Tensor, " n"]
    """Numbered in the order of the names, so that those of a category follow one another."""
    view: Int[Tensor, " n"]
    """Numbered by azimuth, then by angle from the vertical: every fourth goes evenly around."""
    factors: Factors
    """category, object, angle_from_vertical, azimuth."""


def load_eth80(path: Path) -> Eth80:
    """Read the photographs from their archive.

    Raises:
        InputError: a file that is missing, damaged, of another kind, or not ETH-80 as described
            above.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file. Give the path of {_WANTED}.")
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = {m.filename.rpartition("/")[2]: m for m in archive.infolist()}
            rows = _rows(_content(archive, members, TABLE, path), path)
            images = [_image(archive, members, row["key"], path) for row in rows]
    except (zipfile.BadZipFile, NotImplementedError, struct.error, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}. Give {_WANTED}.") from error
    sides = sorted({image.shape for image in images})
    if len(sides) > 1 or sides[0][1] != sides[0][2]:
        raise InputError(
            f"images in {path} have {' and '.join(map(str, sides[:2]))} for channels, height and "
            "width; all must be squares of one size."
        )
    return _known(torch.stack(images), rows, path)


def without_front(category: str, angle: float) -> bool:
    """Whether an image has no azimuth: taken from above, or of what has no front."""
    return category in FRONTLESS or angle == 0


def _known(pixels: Tensor, rows: list[dict[str, str]], path: Path) -> Eth80:
    try:
        elevation, azimuth = (
            np.array([float(row[name]) for row in rows]) for name in ("elevation", "azimuth")
        )
    except ValueError as error:
        raise InputError(f"{TABLE} in {path}: {error}. Give {_WANTED}.") from None
    angle = np.array([RING.get(value, value) for value in elevation.tolist()])
    places = list(zip(azimuth.tolist(), angle.tolist(), strict=True))
    known = {place: k for k, place in enumerate(sorted(set(places)))}
    away = np.array(
        [without_front(row["category"], a) for row, a in zip(rows, angle.tolist(), strict=True)]
    )
    names = {
        name: np.unique([row[name] for row in rows], return_inverse=True)
        for name in ("category", "object")
    }
    classes = [
        Factor(
            name=name,
            kind=Kind.CATEGORICAL,
            values=torch.from_numpy(number),
            levels=tuple(levels.tolist()),
        )
        for name, (levels, number) in names.items()
    ]
    missing = torch.from_numpy(away)
    return Eth80(
        pixels=pixels,
        keys=tuple(row["key"] for row in rows),
        object=torch.from_numpy(names["object"][1]),
        view=torch.tensor([known[place] for place in places]),
        factors=Factors(
            [
                *classes,
                Factor(
                    name="angle_from_vertical",
                    kind=Kind.CONTINUOUS,
                    values=torch.from_numpy(angle).double(),
                ),
                Factor(
                    name="azimuth",
                    kind=Kind.CIRCULAR,
                    values=torch.from_numpy(np.where(away, math.nan, azimuth)),
                    period=360.0,
                    missing=missing if bool(missing.any()) else None,
                ),
            ]
        ),
    )


def _rows(table: bytes, path: Path) -> list[dict[str, str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(table.decode()), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{TABLE} in {path} is no table: {error}. Give {_WANTED}.") from None
    if not rows or not set(_COLUMNS) <= set(rows[0]) or any(None in row.values() for row in rows):
        found = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise InputError(f"{TABLE} in {path} has {found}. Give {_WANTED}.")
    return rows


def _content(archive: zipfile.ZipFile, members: Members, name: str, path: Path) -> bytes:
    if name not in members:
        raise InputError(f"{path} has no {name}. Give {_WANTED}.")
    member = members[name]
    if member.file_size > _MOST:
        raise InputError(f"{name} in {path} has {member.file_size:,} bytes. Give {_WANTED}.")
    try:
        return archive.read(member)
    except (RuntimeError, zlib.error, EOFError) as error:  # encrypted, or cut short
        raise InputError(f"{name} in {path} cannot be read: {error}.") from error


def _image(
    archive: zipfile.ZipFile, members: Members, name: str, path: Path
) -> UInt8[Tensor, "3 h w"]:
    content = _content(archive, members, name, path)
    try:
        image = read_image(io.BytesIO(content))
    except UnreadableImageError as error:
        raise InputError(f"{name} in {path} cannot be read: {error}.") from None
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
