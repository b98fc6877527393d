"""A small archive in the form of ETH-80's: two categories, eight objects, thirteen views."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

CATEGORIES = ("apple", "car")
PER_CATEGORY = 4
VIEWS = (
    (0, 0),
    *((66, azimuth) for azimuth in range(0, 360, 45)),
    *((90, azimuth) for azimuth in (0, 90, 180, 270)),
)
SIDE = 16
N = len(CATEGORIES) * PER_CATEGORY * len(VIEWS)


def rows() -> list[dict[str, str]]:
    """The published table; the second ring is written in two ways."""
    return [
        {
            "key": f"{category}{number}-{angle:03}-{azimuth:03}.png",
            "category": category,
            "object": f"{category}{number}",
            "elevation": str(68 if angle == 66 and azimuth > 200 else angle),
            "azimuth": str(azimuth),
        }
        for category in CATEGORIES
        for number in range(1, PER_CATEGORY + 1)
        for angle, azimuth in VIEWS
    ]


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    pytest.importorskip("PIL.Image").fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def as_csv(table: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


def content(seed: int = 0) -> dict[str, bytes]:
    """Files by name; noise, but for the first pixel, which counts the images."""
    generator = np.random.default_rng(seed)
    files = {"factors.csv": as_csv(rows())}
    for number, row in enumerate(rows()):
        pixels = generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        pixels[0, 0] = number
        files[f"eth80/{row['key']}"] = png(pixels)
    return files


def write(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
