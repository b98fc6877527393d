"""The ETH-80 loader: what an archive holds, and every way it can be wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fuzz import never_another_error
from tests.worlds import eth80_file
from tests.worlds.eth80_file import SIDE, VIEWS, N, as_csv, content, png, rows, write

from identikit.core.errors import InputError
from identikit.worlds.eth80 import load_eth80

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "eth80-96px.zip"


def test_rows_become_images_objects_views_and_factors(tmp_path: Path) -> None:
    data = load_eth80(write(tmp_path / "eth80.zip", content()))
    assert data.pixels.shape == (N, 3, SIDE, SIDE)
    assert data.pixels[:, 0, 0, 0].tolist() == list(range(N))
    assert data.object.tolist() == [o for o in range(8) for _ in VIEWS]
    by_azimuth = sorted(VIEWS, key=lambda view: view[::-1])
    assert data.view[:13].tolist() == [by_azimuth.index(view) for view in VIEWS]
    assert torch.equal(data.view.view(8, 13), data.view[:13].expand(8, 13))
    assert data.keys[15] == "apple2-066-045.png"
    factors = data.factors
    assert factors["category"].levels == eth80_file.CATEGORIES
    assert factors["category"].values.tolist() == [0] * 52 + [1] * 52
    angle = factors["angle_from_vertical"].values
    assert angle[:13].tolist() == [0.0, *[67.0] * 8, *[90.0] * 4]


def test_what_has_no_front_and_what_is_seen_from_above_has_no_azimuth(tmp_path: Path) -> None:
    azimuth = load_eth80(write(tmp_path / "eth80.zip", content())).factors["azimuth"]
    assert azimuth.missing is not None
    assert azimuth.missing[:52].all()  # apples
    assert azimuth.missing[52:].nonzero()[:, 0].tolist() == [0, 13, 26, 39]
    assert azimuth.values[53:65].tolist() == [float(azimuth) for _, azimuth in VIEWS[1:]]


def changed(**cells: str) -> bytes:
    table = rows()
    table[3] |= cells
    return as_csv(table)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"factors.csv": None}, "has no factors.csv"),
        ({"factors.csv": b""}, "has no rows"),
        ({"factors.csv": b"\xff\xfe\xfd"}, "is no table"),
        ({"factors.csv": b"key,category\na.png,apple\n"}, "has key, category"),
        ({"factors.csv": changed(key="other.png")}, "has no other.png"),
        ({"factors.csv": changed(azimuth="left")}, "could not convert string to float: 'left'"),
        ({"eth80/apple1-000-000.png": b"GIF"}, "apple1-000-000.png"),
        (
            {"eth80/apple1-000-000.png": png(np.zeros((8, 8, 3), dtype=np.uint8))},
            "squares of one size",
        ),
    ],
)
def test_a_wrong_archive_is_refused(
    files: dict[str, bytes | None], said: str, tmp_path: Path
) -> None:
    given = {name: data for name, data in (content() | files).items() if data is not None}
    with pytest.raises(InputError) as refusal:
        load_eth80(write(tmp_path / "eth80.zip", given))
    assert said in str(refusal.value)
    assert "eth80.zip" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.zip is not a file\. Give the path"):
        load_eth80(tmp_path / "nothing.zip")
    (tmp_path / "text.zip").write_text("text")
    with pytest.raises(InputError, match=r"text\.zip cannot be read: File is not a zip file"):
        load_eth80(tmp_path / "text.zip")


def test_a_damaged_archive_is_read_or_refused(tmp_path: Path) -> None:
    keys = {row["key"] for row in rows()[:2]}
    few = {n: data for n, data in content().items() if n.rpartition("/")[2] in keys}
    few["factors.csv"] = as_csv(rows()[:2])
    path = write(tmp_path / "eth80.zip", few)
    never_another_error(path, path.read_bytes(), load_eth80, count=150, seed=0)


@pytest.mark.skipif(not REAL.exists(), reason=f"the ETH-80 photographs are not there: {REAL}")
def test_the_real_file_has_forty_one_views_of_ten_objects_of_eight_categories() -> None:
    data = load_eth80(REAL)
    assert torch.bincount(data.view).tolist() == [80] * 41
    azimuth = data.factors["azimuth"]
    assert azimuth.missing is not None
    for quarter in range(4):
        rows = (data.object == 15) & (data.view % 4 == quarter) & ~azimuth.missing  # a car
        turn = azimuth.values[rows].deg2rad()
        assert torch.stack([turn.cos(), turn.sin()]).mean(1).abs().max() < 1e-9
    assert torch.bincount(data.object).tolist() == [41] * 80
    category = data.factors["category"].values.view(80, 41)
    assert (category == category[:, :1]).all()
    assert torch.bincount(category[:, 0]).tolist() == [10] * 8
    assert (data.object.view(80, 41)[:, 0] // 10 == category[:, 0]).all()
