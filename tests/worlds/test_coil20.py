"""The COIL-20 loader: what the real file holds, and every way a file can be wrong."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from identikit.core.errors import InputError
from identikit.core.factors import Kind
from identikit.worlds.coil20 import load_coil20

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "coil20.mat"
needs_photographs = pytest.mark.skipif(
    not REAL.exists(), reason=f"the COIL-20 photographs are not there: {REAL}"
)


def coil20_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    pixels = np.random.default_rng(seed).integers(0, 256, (1440, 1024), dtype=np.uint8)
    return {"X": pixels, "Y": np.repeat(np.arange(1, 21, dtype=np.uint8), 72)[:, None]}


def saved(folder: Path, arrays: dict[str, np.ndarray], *, compress: bool = True) -> Path:
    path = folder / "some.mat"
    savemat(path, arrays, do_compression=compress)
    return path


def test_rows_become_images_objects_and_azimuths(tmp_path: Path) -> None:
    arrays = coil20_arrays()
    data = load_coil20(saved(tmp_path, arrays))
    row, down, across = 72 * 3 + 10, 5, 17
    assert data.images[row, down, across] == pytest.approx(
        arrays["X"][row, down + 32 * across] / 255
    )
    assert data.object[row] == 3
    assert data.azimuth_deg[row] == 55
    factors = data.factors()
    assert factors["object"].kind is Kind.CATEGORICAL
    assert factors["azimuth"].period == 360
    torch.testing.assert_close(
        data.circle().norm(dim=1), torch.ones(1440, dtype=torch.float64), rtol=1e-12, atol=0
    )
    # each object goes once around: no constant part for a linear probe to profit from
    assert data.circle()[:72].sum(0).abs().max() < 1e-12


@needs_photographs
def test_neighbouring_azimuths_of_the_real_file_look_alike() -> None:
    images = load_coil20(REAL).images.reshape(20, 72, -1)
    one_step = (images - images.roll(1, 1)).square().sum(-1).mean()
    quarter_turn = (images - images.roll(18, 1)).square().sum(-1).mean()
    other_object = (images - images.roll(1, 0)).square().sum(-1).mean()
    assert one_step < 0.25 * quarter_turn < 0.25 * other_object


@needs_photographs
def test_the_real_images_stand_upright() -> None:
    # cups, jars and boxes stand on a table: their outlines are mirror-symmetric left to
    # right, not top to bottom, once averaged over a whole turn
    mean = load_coil20(REAL).images.reshape(20, 72, 32, 32).mean(1)
    sideways = (mean - mean.flip(2)).abs().mean()
    upside_down = (mean - mean.flip(1)).abs().mean()
    assert sideways < 0.5 * upside_down


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mat", tmp_path):
        with pytest.raises(InputError, match="is not a file"):
            load_coil20(path)


@pytest.mark.parametrize(
    "content", [b"", b"no such thing", b"PK\x03\x04" + bytes(500), b"\x89PNG" + bytes(4000)]
)
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.mat"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a MATLAB file"):
        load_coil20(path)


def test_a_newer_matlab_format_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "some.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(InputError, match="-v7"):
        load_coil20(path)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float, compress: bool) -> None:
    path = saved(tmp_path, coil20_arrays(), compress=compress)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"some\.mat"):
        load_coil20(path)


def test_damaged_bytes_never_get_out_as_another_error(tmp_path: Path) -> None:
    path = saved(tmp_path, coil20_arrays())
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, 400, 4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):
            load_coil20(path)


def test_missing_variables_are_named_with_what_is_there(tmp_path: Path) -> None:
    arrays = coil20_arrays()
    with pytest.raises(InputError, match="no array of numbers 'X'; it holds fea"):
        load_coil20(saved(tmp_path, {"fea": arrays["X"], "gnd": arrays["Y"]}))
    with pytest.raises(InputError, match="no array of numbers 'Y'; it holds X"):
        load_coil20(saved(tmp_path, {"X": arrays["X"]}))


def test_wrong_shapes_types_and_orders_are_refused(tmp_path: Path) -> None:
    good = coil20_arrays()
    for wrong in (good["X"][:-1], good["X"][:, :-1], good["X"] / 255.0, good["X"].astype(np.int8)):
        with pytest.raises(InputError, match=r"X in .* has shape"):
            load_coil20(saved(tmp_path, good | {"X": wrong}))
    for wrong in (good["Y"][::-1], good["Y"][:-1], good["Y"] - 1):
        with pytest.raises(InputError, match=r"Y in .* does not count"):
            load_coil20(saved(tmp_path, good | {"Y": wrong}))


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.mat"
    with path.open("wb") as file:
        file.truncate(65 * 2**20)  # sparse: takes no space
    with pytest.raises(InputError, match="far more than COIL-20"):
        load_coil20(path)
