"""One door for images: which formats come in, and that nothing else happens on the way."""

import os
import socket
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from identikit.worlds.images import FORMATS, MOST_PIXELS, UnreadableImageError, open_image

PIL = pytest.importorskip("PIL.Image")
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 10 10
%%EndComments
(MARK) (w) file closefile
showpage
%%EOF
"""


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_read_whatever_the_file_is_called(tmp_path: Path, form: str) -> None:
    PIL.init()
    path = tmp_path / "photo.jpg"
    PIL.fromarray(PIXELS).save(path, format=form)
    found = open_image(path)
    assert (found.mode, found.size) == ("RGB", (9, 6))
    with PIL.open(path) as known:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(known.convert("RGB")))


def test_no_other_format_is_even_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostScript is a program, which Pillow hands to Ghostscript."""
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: started.append(args))
    monkeypatch.setattr(os, "system", started.append)
    path = tmp_path / "photo.jpg"
    path.write_bytes(EPS.replace(b"MARK", bytes(tmp_path / "mark")))
    with pytest.raises(UnreadableImageError, match="no image of these formats: JPEG"):
        open_image(path)
    for form in ("EPS", "PCX", "TGA", "SGI", "ICO"):
        PIL.fromarray(PIXELS).save(path, format=form)
        with pytest.raises(UnreadableImageError):
            open_image(path)
    assert not started
    assert not (tmp_path / "mark").exists()


def bomb(path: Path, side: int) -> None:
    """A PNG of a few bytes that promises so many pixels a side."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [int(MOST_PIXELS**0.5) + 1, 2**16, 2**31 - 1])
def test_a_bomb_is_refused_by_its_size_before_anything_is_decoded(
    tmp_path: Path, side: int
) -> None:
    bomb(tmp_path / "a.png", side)
    with pytest.raises(UnreadableImageError, match="decompression bomb"):
        open_image(tmp_path / "a.png")


def test_what_waits_for_ever_is_no_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UnreadableImageError, match="is a pipe"):
        open_image(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("/dev/zero")
    with pytest.raises(UnreadableImageError, match="is a device"):
        open_image(tmp_path / "b.png")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "c.png"))
        with pytest.raises(UnreadableImageError):
            open_image(tmp_path / "c.png")
    for name in ("none.png", "."):
        with pytest.raises(UnreadableImageError):
            open_image(tmp_path / name)
