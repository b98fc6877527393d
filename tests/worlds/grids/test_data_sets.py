"""The six sets, read from small files in exactly their original formats."""

import contextlib
import gzip
import math
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tests.worlds.grids import originals
from tests.worlds.grids.originals import SMALL, WRITERS

from identikit.core.errors import InputError
from identikit.core.factors import Kind
from identikit.worlds.grids import registry
from identikit.worlds.grids.data_set import DataSet
from identikit.worlds.grids.registry import DATA_SETS, load_grid

NAMES = sorted(WRITERS)
ONE_OF_EACH = ["cars3d", "dsprites", "mpi3d_toy", "shapes3d", "smallnorb"]


@pytest.fixture(autouse=True)
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in SMALL.items():
        monkeypatch.setitem(registry.DATA_SETS, name, data)


def test_the_grids_are_those_of_the_publications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    sizes = {name: (data.grid.size, data.grid.sizes) for name, data in DATA_SETS.items()}
    mpi3d = (1_036_800, (6, 6, 2, 3, 3, 40, 40))
    assert sizes == {
        "dsprites": (737_280, (3, 6, 40, 32, 32)),
        "shapes3d": (480_000, (10, 10, 10, 8, 4, 15)),
        "mpi3d_toy": mpi3d,
        "mpi3d_realistic": mpi3d,
        "mpi3d_real": mpi3d,
        "cars3d": (17_568, (4, 24, 183)),
        "smallnorb": (48_600, (5, 10, 9, 18, 6)),
    }
    circles = {
        name: {axis.name: axis.period for axis in data.grid.axes if axis.kind is Kind.CIRCULAR}
        for name, data in DATA_SETS.items()
        if not name.startswith("mpi3d")
    }
    assert circles == {
        "dsprites": {"orientation": 2 * math.pi},
        "shapes3d": {"floor_hue": 1.0, "wall_hue": 1.0, "object_hue": 1.0},
        "cars3d": {"azimuth": 360.0},
        "smallnorb": {"rotation": 360.0},
    }


def test_values_go_once_around_each_circle_and_dsprites_closes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    axes = (axis for data in DATA_SETS.values() for axis in data.grid.axes if axis.period)
    for axis in axes:
        steps = axis.values.diff()
        torch.testing.assert_close(steps, steps[:1].expand_as(steps))
        open_circle = axis.values[-1] + steps[-1] - axis.values[0]
        closed = axis.name == "orientation"  # its level 39 is its level 0
        assert (open_circle - closed * steps[-1]).item() == pytest.approx(axis.period)
    orientation = DATA_SETS["dsprites"].grid["orientation"]
    ends = torch.polar(torch.ones(2, dtype=torch.float64), orientation.values[[0, 39]])
    torch.testing.assert_close(ends[0], ends[1])  # one target, as cosine and sine


@pytest.mark.parametrize("name", NAMES)
def test_every_row_has_its_image_in_any_order(name: str, tmp_path: Path) -> None:
    path, expected = WRITERS[name](tmp_path, SMALL[name])
    loaded = load_grid(name, path)
    rows = torch.randperm(loaded.grid.size, generator=torch.Generator().manual_seed(0))
    images = loaded.images(rows)
    assert loaded.name == name
    assert images.shape == (len(rows), *loaded.shape)
    np.testing.assert_array_equal(images.numpy(), expected[rows.numpy()])
    assert torch.equal(loaded.images(rows[:3].int()), images[:3])
    assert len(loaded.images(rows[:0])) == 0
    with pytest.raises(InputError, match="a row must be from 0"):
        loaded.images(torch.tensor([loaded.grid.size]))


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_the_unravelled_row(name: str) -> None:
    grid = SMALL[name].grid
    rows = torch.arange(grid.size)
    expected = np.stack(np.unravel_index(rows.numpy(), grid.sizes), axis=1)
    np.testing.assert_array_equal(grid.indices(rows).numpy(), expected)
    for axis, factor in zip(grid.axes, grid.factors(rows).values(), strict=True):
        assert len(factor.values.unique()) == axis.size


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("mpi3d_toy", lambda f, d: originals.write_mpi3d(f, d, stored=True)),
        ("shapes3d", lambda f, d: originals.write_shapes3d(f, d, chunked=False)),
    ],
)
def test_images_that_lie_in_the_open_are_mapped_where_they_are(
    name: str, write: Callable[[Path, DataSet], tuple[Path, np.ndarray]], tmp_path: Path
) -> None:
    path, expected = write(tmp_path, SMALL[name])
    loaded = load_grid(name, path)
    np.testing.assert_array_equal(loaded.images(torch.tensor([3]))[0].numpy(), expected[3])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    content = path.read_bytes()
    place = content.index(np.ascontiguousarray(expected[5].transpose(1, 2, 0)).tobytes())
    with path.open("r+b") as file:  # what is mapped, changes with the file
        file.seek(place)
        file.write(bytes(12))
    assert loaded.images(torch.tensor([5]))[0, :, 0, :4].sum() == 0


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("mpi3d_toy", lambda f, d: originals.write_mpi3d(f, d, stored=False)),
        ("smallnorb", lambda f, d: originals.write_smallnorb(f, d, gzipped=False)),
    ],
)
def test_the_other_way_of_storing_it_reads_the_same(
    name: str, write: Callable[[Path, DataSet], tuple[Path, np.ndarray]], tmp_path: Path
) -> None:
    path, expected = write(tmp_path, SMALL[name])
    images = load_grid(name, path).images(torch.arange(len(expected)))
    np.testing.assert_array_equal(images.numpy(), expected)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_folder_that_holds_the_original_will_do(name: str, tmp_path: Path) -> None:
    path, _ = WRITERS[name](tmp_path, SMALL[name])
    assert load_grid(name, path if path.is_dir() else tmp_path).grid is SMALL[name].grid


def test_sets_are_found_where_fetch_puts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTIKIT_DATA", str(tmp_path))
    with pytest.raises(InputError, match="`identikit data fetch shapes3d` gets it"):
        load_grid("shapes3d")
    (tmp_path / "shapes3d").mkdir()
    WRITERS["shapes3d"](tmp_path / "shapes3d", SMALL["shapes3d"])
    load_grid("shapes3d")


def test_unknown_sets_are_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'shapes3d'"):
        load_grid("3dshapes")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98])
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_truncated_file_is_refused_with_the_checksum_that_was_expected(
    name: str, share: float, tmp_path: Path
) -> None:
    path, _ = WRITERS[name](tmp_path, SMALL[name])
    file = next(path.glob("*training-dat*")) if path.is_dir() else path
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    wanted = DATA_SETS[name].originals[0]
    with pytest.raises(InputError, match=f"cannot be used as {name}") as refusal:
        load_grid(name, path).images(torch.arange(10))
    assert wanted.name in str(refusal.value)
    if not path.is_dir():
        assert (wanted.digest or "nobody publishes") in str(refusal.value)
    assert not list(tmp_path.glob("*.npy")) + list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>404</html>", b"PK\x03\x04" + bytes(99)])
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_another_kind_of_file_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path, _ = WRITERS[name](tmp_path, SMALL[name])
    for file in path.iterdir() if path.is_dir() else [path]:
        file.write_bytes(content)
    with pytest.raises(InputError, match=f"cannot be used as {name}"):
        load_grid(name, path)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_damaged_bytes_never_get_out_as_another_error(name: str, tmp_path: Path) -> None:
    path, _ = WRITERS[name](tmp_path, SMALL[name])
    file = next(path.glob("*training-cat*")) if path.is_dir() else path
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(12):
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 3000), 3):
            damaged[place] = rng.integers(256)
        file.write_bytes(damaged)
        with contextlib.suppress(InputError):
            load_grid(name, path)


@pytest.mark.parametrize("name", ["cars3d", "dsprites", "shapes3d", "smallnorb"])
def test_a_changed_byte_is_seen_in_what_is_compressed(name: str, tmp_path: Path) -> None:
    path, _ = WRITERS[name](tmp_path, SMALL[name])
    file = next(path.glob("*training-dat*")) if path.is_dir() else path
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"cannot be used as {name}"):
        load_grid(name, path)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_grid_that_does_not_match_its_images_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = WRITERS[name](tmp_path, SMALL[name])
    sizes = list(SMALL[name].grid.sizes)
    sizes[max(j for j, size in enumerate(sizes) if size > 2)] -= 1
    fewer = originals.cut(SMALL[name], *sizes)
    monkeypatch.setitem(registry.DATA_SETS, name, fewer)
    with pytest.raises(InputError, match=r"grid|level"):
        load_grid(name, path)


def test_labels_in_another_order_are_refused(tmp_path: Path) -> None:
    path, _ = WRITERS["shapes3d"](tmp_path, SMALL["shapes3d"])
    with h5py.File(path, "r+") as file:
        file["labels"][:2] = file["labels"][:2][::-1]
    with pytest.raises(InputError, match="labels does not count through the grid"):
        load_grid("shapes3d", path)
    path, _ = WRITERS["dsprites"](tmp_path, SMALL["dsprites"])
    with np.load(path, allow_pickle=True) as archive:
        arrays = dict(archive)
    np.savez_compressed(path, **arrays | {"latents_classes": arrays["latents_classes"][::-1]})
    with pytest.raises(InputError, match="latents_classes does not count through the grid"):
        load_grid("dsprites", path)
    np.savez_compressed(path, **arrays | {"imgs": arrays["imgs"] * 255})
    with pytest.raises(InputError, match="other values than 0 and 1"):
        load_grid("dsprites", path)


def test_smallnorb_says_which_file_is_wrong(tmp_path: Path) -> None:
    path, _ = WRITERS["smallnorb"](tmp_path, SMALL["smallnorb"])
    info = next(path.glob("*training-info*"))
    whole = info.read_bytes()
    info.unlink()
    with pytest.raises(InputError, match=r"neither smallnorb-.*training-info\.mat\.gz nor"):
        load_grid("smallnorb", path)
    wrong = originals.binary_matrix(0x1E3D4C56, np.zeros((4, 4), "<i2"))
    info.write_bytes(gzip.compress(wrong))
    with pytest.raises(InputError, match=r"training-info\.mat begins with 0x1e3d4c56"):
        load_grid("smallnorb", path)
    table = gzip.decompress(whole)
    info.write_bytes(gzip.compress(table[:20] + table[36:52] + table[36:]))  # a toy twice
    with pytest.raises(InputError, match="1 have no image and 1 several"):
        load_grid("smallnorb", path)
