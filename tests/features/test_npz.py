"""Feature files: what is read, and one error for each way they can be wrong."""

from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest

from identikit.core.errors import InputError
from identikit.core.factors import Kind
from identikit.features.load import load_npz

N = 30
RNG = np.random.default_rng(0)


def arrays(**changes: Any) -> dict[str, Any]:
    """A file's content that is fine, but for the changes; None leaves a name out."""
    fine = {"h": RNG.normal(size=(N, 4)), "size": RNG.normal(size=N), **changes}
    return {name: value for name, value in fine.items() if value is not None}


def test_everything_with_a_meaning_is_read(tmp_path: Path) -> None:
    path = tmp_path / "features.npz"
    content = arrays(
        azimuth=12 * np.arange(N),
        shape=np.array(["cube", "ball", "cone"] * 10),
        pose=RNG.normal(size=(N, 2)),
        W=RNG.normal(size=(6, 4)),
        head_class=np.arange(6) % 3,
        class_vectors=RNG.normal(size=(3, 2)),
        x=np.zeros((N, 8, 8), dtype=np.uint8),
    )
    np.savez_compressed(path, **content)
    found = load_npz(path, kinds={"azimuth": "circular:360"})
    assert list(found.factors) == ["size", "azimuth", "shape", "pose1", "pose2"]
    assert found.factors["azimuth"].period == 360
    assert found.factors["shape"].kind is Kind.CATEGORICAL
    np.testing.assert_array_equal(found.h, content["h"])
    assert found.head is not None
    assert found.head_class is not None
    assert found.class_vectors is not None
    assert found.x is not None
    np.testing.assert_array_equal(found.head, content["W"])
    assert found.head_class.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.x.shape == (N, 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"h": None}, "holds no array 'h'; it has 'size'"),
        ({"size": None}, "holds no factors, only 'h'"),
        ({"size": np.ones(N)}, "'size' is constant"),
        ({"size": np.ones(29)}, r"'size' and 'h' must have.*\(29,\) and 30 rows"),
        ({"size": np.float64(3)}, "'size' and 'h' must have"),
        ({"size": np.ones((N, 2, 2))}, "Observations go under the name 'x'"),
        ({"x": np.ones((7, 2))}, "'x' and 'h' must have"),
        ({"h": np.where(np.arange(120).reshape(N, 4) == 9, np.nan, 1)}, "1 values.*rows 2"),
        ({"size": np.where(np.arange(N) == 5, np.inf, 1)}, "'size' has 1 values.*rows 5"),
        ({"h": RNG.normal(size=N)}, "h must be a matrix"),
        ({"h": np.array([["a"]] * N)}, "must hold numbers"),
        ({"W": np.ones((3, 5))}, "one column per dimension of h"),
        ({"head_class": np.arange(3)}, "there is no W"),
        (
            {"W": np.ones((3, 4)), "head_class": np.arange(4)},
            r"each of 3 rows; got shape \(4,\)",
        ),
        ({"W": np.ones((3, 4)), "head_class": np.ones(3)}, "one integer for each of the 3 rows"),
        ({"size": np.array([{}] * N, dtype=object)}, "'size'.*pickled object.*never opened"),
    ],
)
def test_a_file_with_unusable_arrays_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users
    path = tmp_path / "features.npz"
    np.savez(path, **arrays(**changes))
    with pytest.raises(InputError, match=message) as raised:
        load_npz(path)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_npz(tmp_path / "none.npz")
    with pytest.raises(InputError, match=r"must hold shards of one kind .*; it has none"):
        load_npz(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.npz").touch()
    with pytest.raises(InputError, match="is empty"):
        load_npz(tmp_path / "f.npz")


@pytest.mark.parametrize("kept", [1, 30, 200, 700, -200, -1])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int, compressed: bool) -> None:
    path = tmp_path / "f.npz"
    (np.savez_compressed if compressed else np.savez)(path, **arrays())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"not an \.npz file, or was cut short"):
        load_npz(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez_compressed(path, **arrays())
    content = bytearray(path.read_bytes())
    content[300:340] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not an \.npz file, or was cut short"):
        load_npz(path)


@pytest.mark.parametrize("content", [b"h,size\n1,2\n", b"\x80\x04]\x94.", b"PK\x03\x04nonsense"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"not an \.npz file, or was cut short"):
        load_npz(tmp_path / "f.npz")


def test_a_single_array_needs_factors(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.ones((3, 2)))
    with pytest.raises(InputError, match="give a table of factors"):
        load_npz(tmp_path / "f.npy")
