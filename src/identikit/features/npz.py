"""Anybody's features from an .npz file: h, named factors and, where known, the head.

Names with a meaning: h (n, d_h), W (labels, d_h), head_class (labels,), class_vectors
(classes, d_z), x (n, ...). Every other array with n rows is a factor, a matrix one per column.
Pickles are never opened.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from identikit.errors import InputError
from identikit.features.inputs import as_factors, as_features
from identikit.representation import Representation

RESERVED = ("h", "W", "head_class", "class_vectors", "x")
FORMAT = "Write it with numpy.savez(path, h=features, name1=factor1, ...)."


def load_npz(path: str | Path, *, kinds: Mapping[str, str] | None = None) -> Representation:
    """Read features and factors.

    Args:
        path: The .npz file.
        kinds: Kind per factor name, such as {"azimuth": "circular:360"}, where inference
            (see `identikit.features.inputs`) would guess wrong.

    Raises:
        InputError: a file that is missing, empty, truncated, not an .npz or holds pickles;
            no h, no factors, lengths that differ, NaN, or fewer samples than dimensions.
    """
    arrays = _read(Path(path))
    if "h" not in arrays:
        raise InputError(f"{path} holds no array 'h'; it has {_names(arrays)}. {FORMAT}")
    h = as_features(arrays["h"], name="h")
    n, dim = h.shape
    if n < dim:
        raise InputError(
            f"h has fewer samples ({n}) than dimensions ({dim}), so a map from it cannot be "
            "told from chance. Give more samples or fewer dimensions; if h is (dimensions, "
            "samples), transpose it."
        )
    columns = {name: a for name, a in arrays.items() if name not in RESERVED}
    if not columns:
        raise InputError(f"{path} holds no factors, only {_names(arrays)}. {FORMAT}")
    for name, array in {**columns, "x": arrays.get("x", h)}.items():
        if array.ndim == 0 or len(array) != n:
            raise InputError(
                f"{name!r} and 'h' must have the same number of rows; got shape "
                f"{tuple(array.shape)} and {n} rows of h. Pass values of the same samples."
            )
        if name != "x" and array.ndim > 2:
            raise InputError(
                f"factor {name!r} has shape {array.shape}; give one value per sample, or a "
                "matrix (samples, factors). Observations go under the name 'x'."
            )
    rows = as_features(arrays["W"], name="W") if "W" in arrays else None
    vectors = arrays.get("class_vectors")
    return Representation(
        h=h,
        factors=as_factors(columns, kinds=kinds),
        head=rows,
        head_class=_row_class(arrays.get("head_class"), rows),
        class_vectors=None if vectors is None else as_features(vectors, name="class_vectors"),
        x=as_features(arrays["x"], name="x") if "x" in arrays else None,
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        if not path.stat().st_size:
            raise InputError(f"{path} is empty. {FORMAT}")
        with path.open("rb") as raw:
            file = np.load(raw, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise InputError(f"{path} holds a single array, not an .npz. {FORMAT}")
            with file:
                return {name: _member(path, file, name) for name in file.files}
    except InputError:
        raise
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"cannot read {path}: {error.strerror}.") from None
        raise InputError(
            f"{path} is not an .npz file, or was cut short ({error}). Copy it again. {FORMAT}"
        ) from None


def _member(path: Path, file: Any, name: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = file[name]
    except ValueError as error:
        if "pickle" not in str(error).lower():
            raise
        raise InputError(
            f"array {name!r} in {path} is a pickled object, which could run any code and is "
            "never opened. Save it as numbers or fixed-width strings: "
            f"numpy.asarray({name}).astype(str)."
        ) from None
    return array


def _row_class(values: Any, rows: Any) -> torch.Tensor | None:
    if values is None:
        return None
    if (
        rows is None
        or values.ndim != 1
        or len(values) != len(rows)
        or values.dtype.kind not in "iu"
    ):
        raise InputError(
            f"head_class must be one integer per row of W; got shape {values.shape} of "
            f"{values.dtype} for {'no W' if rows is None else f'{len(rows)} rows'}."
        )
    return torch.as_tensor(values.astype(np.int64))


def _names(arrays: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, arrays)) or "nothing"
