"""Files compared with what was published."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from tests.worlds.grids.originals import SMALL, WRITERS

from identikit.core.errors import InputError
from identikit.worlds.grids import registry
from identikit.worlds.grids.check import check_files, recognised
from identikit.worlds.grids.registry import DATA_SETS, load_grid
from identikit.worlds.grids.unpacking import cache_file


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small set whose checksum is published."""
    path, _ = WRITERS["shapes3d"](tmp_path, SMALL["shapes3d"])
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    original = replace(SMALL["shapes3d"].originals[0], digest=digest)
    data = replace(SMALL["shapes3d"], originals=(original,))
    monkeypatch.setitem(registry.DATA_SETS, "shapes3d", data)
    return path


def test_the_original_is_found_right_by_file_or_folder(shapes: Path) -> None:
    for path in (shapes, shapes.parent):
        checked = check_files(path)
        assert (checked.name, checked.images, checked.unpacked) == ("shapes3d", 144, None)
        assert checked.digests == {str(shapes): DATA_SETS["shapes3d"].originals[0].digest}


def test_sets_of_several_files_and_without_checksums_are_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dsprites", "smallnorb"):
        plain = tuple(replace(file, digest=None) for file in SMALL[name].originals)
        monkeypatch.setitem(registry.DATA_SETS, name, replace(SMALL[name], originals=plain))
        path, images = WRITERS[name](tmp_path, SMALL[name])
        checked = check_files(path)
        assert (checked.name, checked.images) == (name, len(images))
        assert list(checked.digests.values()) == [None] * len(plain)


def test_a_wrong_file_is_refused_with_both_checksums(shapes: Path) -> None:
    shapes.write_bytes(shapes.read_bytes()[:-1])
    expected = DATA_SETS["shapes3d"].originals[0].digest
    with pytest.raises(InputError, match=f"is not 3dshapes.h5 .*{expected}.*its sha256 is"):
        check_files(shapes)
    with pytest.raises(InputError, match="cannot be used as mpi3d_toy: there is no such file"):
        check_files(shapes.with_name("nothing"), name="mpi3d_toy")


def test_a_changed_cache_is_found(shapes: Path) -> None:
    load_grid("shapes3d", shapes)
    target = cache_file(shapes)
    assert check_files(shapes).unpacked == target
    content = bytearray(target.read_bytes())
    content[-1] ^= 1
    target.write_bytes(content)
    with pytest.raises(InputError, match="has changed since it was unpacked"):
        check_files(shapes)


def test_sets_are_told_from_file_names(tmp_path: Path) -> None:
    assert recognised(Path("somewhere/mpi3d_real.npz")).name == "mpi3d_real"
    with pytest.raises(InputError, match="with --name, one of: cars3d, dsprites"):
        recognised(tmp_path / "some.npz")
