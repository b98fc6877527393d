"""Every reader of images and image sets meets damaged files, and knows no error but its own."""

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.fuzz import never_another_error
from tests.worlds.grids import originals

from identikit.worlds.coil20 import load_coil20
from identikit.worlds.grids.data_set import Stream
from identikit.worlds.grids.unpacking import _blocks, read_original
from identikit.worlds.images import FORMATS, open_image

pytestmark = pytest.mark.slow
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_images_are_decoded_or_refused(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillow = pytest.importorskip("PIL.Image")
    monkeypatch.setattr(subprocess, "Popen", _never)
    file = io.BytesIO()
    pillow.fromarray(PIXELS).save(file, format=form)
    never_another_error(tmp_path / "a.png", file.getvalue(), open_image, count=500, seed=0)


def _never(*_: object, **__: object) -> None:
    raise AssertionError("a program was started")


@pytest.mark.parametrize("compress", [False, True])
def test_a_damaged_matlab_file_is_read_or_refused(tmp_path: Path, compress: bool) -> None:
    images = np.random.default_rng(0).integers(0, 2, (1440, 1024), dtype=np.uint8)
    labels = np.repeat(np.arange(1, 21, dtype=np.uint8), 72)[:, None]
    content = originals.mat(X=images, Y=labels, compress=compress)
    never_another_error(tmp_path / "c.mat", content, load_coil20, count=200, seed=0)


@pytest.mark.parametrize("name", sorted(originals.SMALL))
def test_damaged_image_sets_are_read_or_refused(tmp_path: Path, name: str) -> None:
    data = originals.SMALL[name]
    path, _ = originals.WRITERS[name](tmp_path, data)
    target = next(iter(sorted(path.iterdir()))) if path.is_dir() else path

    def read(_: Path) -> None:
        found = read_original(path, data)
        for _block in _blocks(found, path, data) if isinstance(found, Stream) else ():
            pass

    never_another_error(target, target.read_bytes(), read, count=200, seed=0)
