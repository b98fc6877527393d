"""Pixels of every depth and orientation: the right value known from how the file was made."""

from pathlib import Path

import numpy as np
import pytest

from identikit.worlds.images import UnreadableImageError, open_image

PIL = pytest.importorskip("PIL.Image")
RAMP = np.linspace(0, 65535, 48).round().astype(np.uint16).reshape(6, 8)
ORIENTATION = 0x0112


def opened(path: Path) -> np.ndarray:
    return np.asarray(open_image(path))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path, name: str) -> None:
    if name.endswith("pgm"):
        content = b"P5 8 6 65535\n" + RAMP.astype(">u2").tobytes()
        (tmp_path / name).write_bytes(content)
    else:
        PIL.fromarray(RAMP).save(tmp_path / name)
    wanted = np.round(RAMP / 65535 * 255).astype(np.uint8)
    assert len(np.unique(wanted)) == 48
    np.testing.assert_array_equal(opened(tmp_path / name), np.stack([wanted] * 3, axis=2))


def test_sixteen_bits_of_either_byte_order_are_the_same_image(tmp_path: Path) -> None:
    for order in "<>":
        name, mode = ("little", "I;16") if order == "<" else ("big", "I;16B")
        image = PIL.frombytes(mode, (8, 6), RAMP.astype(f"{order}u2").tobytes())
        image.save(tmp_path / f"{name}.tif")
    np.testing.assert_array_equal(opened(tmp_path / "little.tif"), opened(tmp_path / "big.tif"))


@pytest.mark.parametrize(("kind", "word"), [(np.float32, "floating"), (np.int32, "32-bit")])
def test_pixels_without_a_white_are_refused(tmp_path: Path, kind: type, word: str) -> None:
    PIL.fromarray((RAMP / 65535).astype(kind)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImageError, match=f"{word} pixels have no range.*8 or 16 bits"):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda x: x),
        (2, lambda x: x[:, ::-1]),
        (3, lambda x: x[::-1, ::-1]),
        (4, lambda x: x[::-1]),
        (5, lambda x: x.transpose(1, 0, 2)),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: x[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda x: np.rot90(x)),
    ],
)
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_images_are_upright(tmp_path: Path, name: str, orientation: int, turn: object) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    exif = PIL.Exif()
    exif[ORIENTATION] = orientation
    PIL.fromarray(pixels).save(tmp_path / name, exif=exif)
    assert callable(turn)
    np.testing.assert_array_equal(opened(tmp_path / name), turn(pixels))


def test_sixteen_bits_are_upright_too(tmp_path: Path) -> None:
    exif = PIL.Exif()
    exif[ORIENTATION] = 6
    PIL.fromarray(RAMP).save(tmp_path / "a.png", exif=exif)
    PIL.fromarray(RAMP).save(tmp_path / "b.png")
    np.testing.assert_array_equal(
        opened(tmp_path / "a.png"), np.rot90(opened(tmp_path / "b.png"), -1)
    )
