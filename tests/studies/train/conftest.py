"""A folder of small images of two colours and four places, with a table of what they show."""

import csv
from pathlib import Path

import numpy as np
import pytest

OFTEN_SAVED = """import identikit.training.fit as fit
from identikit.cli import main

fit.SAVE_EVERY_SECONDS, fit.MOST_SAVING = 0.1, 1.0
main()
"""
PIL = pytest.importorskip("PIL.Image")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """FOLDER/red/00.png ..., 48 images of 16 pixels a side, and table.csv beside the folder."""
    generator = np.random.default_rng(0)
    folder, rows = tmp_path / "photos", []
    for number in range(48):
        colour, place = number % 2, number % 4
        image = generator.integers(0, 60, (16, 16, 3), dtype=np.uint8)
        image[4 * place : 4 * place + 4, :, 2 * colour] = 200
        key = f"{('red', 'blue')[colour]}/{number:02}.png"
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        PIL.fromarray(image).save(folder / key)
        rows.append([key, ("red", "blue")[colour], place * 90, number // 8])
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["key", "colour", "place", "item"], *rows])
    return folder


@pytest.fixture
def often_saved(tmp_path: Path) -> Path:
    """The command line, whose checkpoints come every tenth of a second: killed before its end."""
    script = tmp_path / "often_saved.py"
    script.write_text(OFTEN_SAVED)
    return script
