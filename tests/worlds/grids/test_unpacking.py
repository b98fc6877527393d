"""The cache of unpacked images: made once, whole or not at all, and of the right source."""

import os
import resource
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.worlds.grids.originals import SMALL, write_shapes3d

from identikit.core.errors import InputError
from identikit.worlds.grids import unpacking
from identikit.worlds.grids.data_set import Bytes, DataSet, Stream
from identikit.worlds.grids.unpacking import cache_file, open_images, record_of

SET = SMALL["shapes3d"]


def unread(_: Path, data: DataSet) -> Stream:
    raise AssertionError("was unpacked again")


CACHED = replace(SET, read=unread)


@pytest.fixture
def original(tmp_path: Path) -> tuple[Path, np.ndarray]:
    path, images = write_shapes3d(tmp_path, SET)
    return path, images.transpose(0, 2, 3, 1)


def test_images_are_unpacked_once_and_mapped_from_then_on(
    original: tuple[Path, np.ndarray],
) -> None:
    path, images = original
    seen: list[tuple[int, int]] = []
    np.testing.assert_array_equal(
        open_images(path, SET, on_progress=lambda done, total: seen.append((done, total))), images
    )
    assert seen[-1] == (images.size, images.size)
    np.testing.assert_array_equal(open_images(path, CACHED), images)
    np.testing.assert_array_equal(np.load(cache_file(path)), images)  # anybody can read it


def test_nothing_that_is_done_to_the_images_reaches_the_file(
    original: tuple[Path, np.ndarray],
) -> None:
    path, images = original
    torch.from_numpy(open_images(path, SET)).zero_()
    np.testing.assert_array_equal(open_images(path, CACHED), images)


def test_a_changed_source_is_unpacked_anew(original: tuple[Path, np.ndarray]) -> None:
    path, images = original
    open_images(path, SET)
    path.unlink()
    write_shapes3d(path.parent, SET)
    os.utime(path, ns=(1, 1))
    with pytest.raises(AssertionError, match="unpacked again"):
        open_images(path, CACHED)
    np.testing.assert_array_equal(open_images(path, SET), images)
    path.unlink()
    with pytest.raises(InputError, match="cannot be used as shapes3d: there is no such file"):
        open_images(path, SET)


@pytest.mark.parametrize(
    "damage", ["cut short", "no record", "record of nonsense", "record of a list"]
)
def test_a_damaged_cache_is_made_anew(original: tuple[Path, np.ndarray], damage: str) -> None:
    path, images = original
    open_images(path, SET)
    target = cache_file(path)
    if damage == "cut short":
        target.write_bytes(target.read_bytes()[:-1])
    elif damage == "no record":
        target.with_suffix(".json").unlink()
    else:
        target.with_suffix(".json").write_text("[1, 2" + "]" * (damage == "record of a list"))
    np.testing.assert_array_equal(open_images(path, SET), images)
    np.testing.assert_array_equal(open_images(path, CACHED), images)


def test_an_interrupted_unpacking_leaves_nothing_behind(
    original: tuple[Path, np.ndarray],
) -> None:
    path, images = original

    def stops(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_images(path, SET, on_progress=stops)
    assert not cache_file(path).exists()
    assert not list(path.parent.glob("*.tmp")) + list(path.parent.glob(".*.tmp"))
    np.testing.assert_array_equal(open_images(path, SET), images)


def test_images_that_end_early_are_not_kept(original: tuple[Path, np.ndarray]) -> None:
    path, images = original

    def short(_: Path, data: DataSet) -> Stream:
        return Stream(data.stored_shape, iter([images[:-1]]))

    with pytest.raises(InputError, match="bytes of images, not"):
        open_images(path, replace(SET, read=short))
    assert not cache_file(path).exists()


def test_a_folder_for_the_cache_can_be_named(
    original: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, images = original
    cache = tmp_path / "some" / "where"
    open_images(path, SET, cache=cache)
    assert not cache_file(path).exists()
    assert record_of(cache_file(path, cache))["sha256"]
    np.testing.assert_array_equal(open_images(path, CACHED, cache=cache), images)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="Give a cache folder that can be written to"):
        open_images(path, SET, cache=tmp_path / "file" / "folder")


def test_a_full_disk_is_said_before_and_met_on_the_way(
    original: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, images = original
    with monkeypatch.context() as patch:
        full = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=2**20))
        patch.setattr(unpacking, "shutil", full)
        with pytest.raises(InputError, match="the unpacked images of shapes3d need 2 MiB in"):
            open_images(path, SET)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (images.size // 2, limits[1]))
    try:
        with pytest.raises(InputError, match="cannot be unpacked into"):
            open_images(path, SET)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(path.parent.glob("*.npy")) + list(path.parent.glob(".*.tmp"))
    np.testing.assert_array_equal(open_images(path, SET), images)


def test_two_that_want_it_at_once_unpack_it_once(original: tuple[Path, np.ndarray]) -> None:
    path, images = original
    begun, unpacked = threading.Barrier(2), []

    def read(source: Path, data: DataSet) -> Stream:
        begun.wait(10)  # both have found no cache

        def blocks() -> Iterator[Bytes]:
            unpacked.append(threading.get_ident())
            yield from images

        return Stream(data.stored_shape, blocks())

    found: list[np.ndarray] = []
    slow = replace(SET, read=read)
    threads = [threading.Thread(target=lambda: found.append(open_images(path, slow))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(unpacked) == 1
    for array in found:
        np.testing.assert_array_equal(array, images)
    assert len(found) == 2
