"""From what users have (arrays, frames, dictionaries) to factors with kinds.

Where a kind is not given it is inferred. Booleans and anything with two levels: binary.
Strings: categorical. Floats: continuous. Integers: categorical up to 20 levels (a code is
a name until somebody says that it has an order), ordinal above. Angles are never guessed:
say `kinds={"azimuth": "circular:360"}`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from identikit.core.errors import InputError, unknown_name
from identikit.core.factors import Factor, Factors, Kind
from identikit.core.memory_mapped import from_numpy, gathered, not_finite

FEW_LEVELS = 20


def as_features(values: Any, *, name: str) -> Float[Tensor, "n d"]:
    """A finite matrix, samples by dimensions, on the CPU; images are flattened.

    Half precision stays as it is, and memory-mapped arrays are not read into memory. Integers of
    up to 16 bits, such as pixels, become float32, in which they are exact.

    Raises:
        InputError: not numeric, no samples or dimensions, NaN or infinity.
    """
    array = _tensor(values, name)
    if array.ndim < 2 or array.numel() == 0:
        raise InputError(
            f"{name} must be a matrix (samples, dimensions) with at least one of each; "
            f"got shape {tuple(array.shape)}."
        )
    array = array.flatten(1)
    if not array.is_floating_point():
        small = array.dtype.itemsize <= 2
        return gathered(array, dtype=torch.float32 if small else torch.float64)
    _require_finite(array, name)
    return array


def as_factors(values: Any, *, kinds: Mapping[str, str] | None = None) -> Factors:
    """Factors from a matrix, a mapping or data frame of columns, or factors themselves.

    Args:
        values: A matrix (n, d_z) becomes z1, z2, ...; so does a matrix inside a mapping,
            under the mapping's name. Factors keep their kinds unless `kinds` names others.
        kinds: Kind per factor name, as `Kind`'s words, "circular:PERIOD" for circular ones.

    Raises:
        InputError: values that cannot be used, or a kind for a name that is not there.
    """
    known = dict(values) if isinstance(values, Factors) else {}
    columns = _columns({name: factor.values for name, factor in known.items()} or values)
    kinds = dict(kinds or {})
    for name in kinds:
        if name not in columns:
            raise unknown_name("factor in kinds", name, columns)
    return Factors(
        [
            known[name]
            if name in known and name not in kinds
            else _factor(name, v, kinds.get(name))
            for name, v in columns.items()
        ]
    )


def _columns(values: Any) -> dict[str, Any]:
    if not hasattr(values, "items"):
        array = _array(values, "the factors")
        if array.ndim not in (1, 2):
            raise InputError(
                "the factors must be a matrix (samples, factors) or a mapping from names to "
                f"columns; got an array of shape {array.shape}."
            )
        values = {"z": array[:, None] if array.ndim == 1 else array}
    columns: dict[str, Any] = {}
    for name, value in values.items():
        array = _array(value, f"factor {name!r}")
        if array.ndim == 2:
            columns |= {f"{name}{j + 1}": array[:, j] for j in range(array.shape[1])}
        else:
            columns[str(name)] = array
    return columns


def _factor(name: str, values: NDArray[Any], given: str | None) -> Factor:
    if values.dtype.kind not in "biufUSO":
        raise InputError(f"factor {name!r} holds {values.dtype}; give numbers or strings.")
    text = values.dtype.kind in "USO"
    if values.dtype.kind == "O":
        _require_values(values, name)
    if not text:
        _require_finite(torch.as_tensor(values.astype(float)), f"factor {name!r}")
    levels, index = np.unique(values.astype(str) if text else values, return_inverse=True)
    kind, period = _parse(name, given) if given else (_infer(values, len(levels)), None)
    if kind in (Kind.CONTINUOUS, Kind.CIRCULAR):
        if text:
            raise InputError(f"factor {name!r} is {kind} but holds strings. Give numbers.")
        column = torch.as_tensor(values.astype(float))
        return Factor(name=name, kind=kind, values=column, period=period)
    if kind is Kind.BINARY and len(levels) > 2:
        raise InputError(
            f"factor {name!r} is binary but has {len(levels)} levels. Call it categorical."
        )
    if kind is Kind.CATEGORICAL and len(levels) > len(values) / 2:
        raise InputError(
            f"factor {name!r} is categorical but has {len(levels)} levels in "
            f"{len(values)} samples; most occur once. Give its kind, or coarser levels."
        )
    codes = torch.as_tensor(index.reshape(-1)).double()
    return Factor(name=name, kind=kind, values=codes, levels=tuple(str(level) for level in levels))


def _infer(values: NDArray[Any], n_levels: int) -> Kind:
    if n_levels == 2 or values.dtype.kind == "b":
        return Kind.BINARY
    if values.dtype.kind in "USO":
        return Kind.CATEGORICAL
    if values.dtype.kind == "f":
        return Kind.CONTINUOUS
    few = n_levels <= min(FEW_LEVELS, len(values) / 2)
    return Kind.CATEGORICAL if few else Kind.ORDINAL


def _parse(name: str, given: str) -> tuple[Kind, float | None]:
    word, _, turn = str(given).partition(":")
    if word not in list(Kind):
        raise unknown_name(f"kind of factor {name!r}", word, [kind.value for kind in Kind])
    kind = Kind(word)
    if kind is not Kind.CIRCULAR:
        return kind, None
    try:
        period = float(turn)
    except ValueError:
        period = 0.0
    if not 0 < period < float("inf"):
        raise InputError(
            f"factor {name!r} has kind {str(given)!r}; a circular factor needs one full turn "
            "in its own unit, such as circular:360 for degrees."
        )
    return kind, period


def _array(values: Any, name: str) -> NDArray[Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        half = values.dtype == torch.bfloat16  # which NumPy does not know
        values = values.float() if half else values
        return np.asarray(values)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} cannot be read as an array: {error}.") from None


def _tensor(values: Any, name: str) -> Tensor:
    if isinstance(values, Tensor):
        return values.detach().cpu()
    given = values if isinstance(values, np.memmap) else _array(values, name)
    if given.dtype.kind not in "biuf":
        raise InputError(f"{name} must hold numbers; got {given.dtype}.")
    plain = given.flags.c_contiguous and given.dtype.isnative
    return from_numpy(given if plain else given.astype(given.dtype.newbyteorder("="), order="C"))


def _require_values(values: NDArray[Any], name: str) -> None:
    missing = np.flatnonzero(pd.isna(values))
    if len(missing):
        rows = ", ".join(map(str, missing[:3]))
        raise InputError(
            f"factor {name!r} has no value in {len(missing)} of {len(values)} rows, first in rows "
            f"{rows}. Drop those samples, fill them in, or leave the factor out."
        )


def _require_finite(values: Tensor, name: str) -> None:
    bad, rows = not_finite(values)
    if bad:
        raise InputError(
            f"{name} has {bad} values that are NaN or infinite, of {values.numel()}, first in "
            f"rows {', '.join(map(str, rows))}. Drop those samples or fill them in."
        )
