"""From what users have (arrays, frames, dictionaries) to factors with kinds.

Where a kind is not given it is inferred. Booleans and anything with two levels: binary.
Strings and pandas' categories: categorical, or ordinal where the categories have an order. Floats:
continuous. Integers: categorical up to 20 levels (a code is a name until somebody says that it has
an order), ordinal above. Angles are never guessed: say `kinds={"azimuth": "circular:360"}`. Nor is
the order of words: say `kinds={"grade": "ordinal:low,mid,high"}`. Rows that have no value of a
factor (None, NaN, empty text) are missing from it, and from no other.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from identikit.core.errors import InputError, printable, unknown_name
from identikit.core.factors import Factor, Factors, Kind
from identikit.core.memory_mapped import from_numpy, gathered, largest, not_finite
from identikit.features.columns import Column, as_column, is_number

FEW_LEVELS = 20
EXACT = 2**53
"""Integers up to here are exact in float64."""
HUGE, TINY = 1e140, 1e-140
"""Beyond these, sums of squares overflow float64 or vanish."""
LONGEST = 200
"""Characters of a name; of longer ones the beginning is shown."""
MOSTLY = 2 / 3
"""Share of numbers among words from which the others look like slips."""
SAVED_INDEX = r"(Unnamed: \d+|__index_level_\d+__|)"
"""What a column is called that was the index of a data frame."""


def as_features(values: Any, *, name: str) -> Float[Tensor, "n d"]:
    """A finite matrix, samples by dimensions, on the CPU; images are flattened.

    Half precision stays as it is, and memory-mapped arrays are not read into memory. Integers of
    up to 16 bits, such as pixels, become float32, in which they are exact.

    Raises:
        InputError: not numeric, no samples or dimensions, NaN or infinity, integers that float64
            cannot hold, numbers whose squares it cannot.
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
        if array.dtype.itemsize > 4 and largest(array) >= EXACT:
            raise InputError(
                f"{name} has integers up to {largest(array):.3g}, and float64 tells them apart "
                "only up to 2^53. Subtract their mean or divide them, or leave them out."
            )
        return gathered(array, dtype=torch.float32 if small else torch.float64)
    _require_finite(array, name)
    return array


def as_factors(values: Any, *, kinds: Mapping[str, str] | None = None) -> Factors:
    """Factors from a matrix, a mapping or data frame of columns, or factors themselves.

    Args:
        values: A matrix (n, d_z) becomes z1, z2, ...; so does a matrix inside a mapping,
            under the mapping's name. Factors keep their kinds unless `kinds` names others.
        kinds: Kind per factor name, as `Kind`'s words; "circular:PERIOD" for circular ones, and
            "ordinal:LOWEST,...,HIGHEST" where the levels are words.

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
            else _factor(name, column.require(f"factor {name!r}"), kinds.get(name))
            for name, column in columns.items()
        ]
    )


def circular(period: int | float) -> str:
    """The kind of an angle, by one full turn in its own unit: 360 for degrees.

    Raises:
        InputError: a period that is not finite and positive.
    """
    if not 0 < period < math.inf:
        raise InputError(
            f"period must be finite and positive, one full turn in the factor's unit (360 for "
            f"degrees); got {period}."
        )
    return f"{Kind.CIRCULAR}:{float(period)!r}"


def ordinal(*levels: str) -> str:
    """The kind of words that have an order, from the lowest to the highest.

    Raises:
        InputError: fewer than two levels, one twice, or one with a comma.
    """
    bad = len(levels) < 2 or len(set(levels)) < len(levels)
    if bad or any("," in level or level != level.strip() or not level for level in levels):
        raise InputError(
            f"levels are two or more different words without commas, from the lowest to the "
            f"highest; got {', '.join(map(repr, levels)) or 'none'}."
        )
    return f"{Kind.ORDINAL}:{','.join(levels)}"


def _columns(values: Any) -> dict[str, Column]:
    """The columns by name, matrices among them taken apart."""
    found: list[tuple[str, Column]] = []
    for name, value in _named(values):
        column = as_column(value)
        if re.fullmatch(SAVED_INDEX, name):
            raise InputError(
                f"column {name!r} looks like the index of a saved data frame, not like a factor. "
                "Drop it, or give it a name."
            )
        if column.values.ndim == 2:
            found += [
                (f"{name}{j + 1}", column.take((slice(None), j))) for j in range(column.shape[1])
            ]
        elif column.values.ndim > 2:
            raise InputError(
                f"factor {name!r} has shape {column.shape}; give one value per sample, or a matrix "
                "(samples, factors). Observations go under the name 'x'."
            )
        else:
            found.append((name, column))
    require_unlike([name for name, _ in found], "factors")
    return dict(found)


def _named(values: Any) -> list[tuple[str, Any]]:
    if isinstance(values, pd.Series):
        values = {"z" if values.name is None else values.name: values}
    if isinstance(values, pa.Table | pa.RecordBatch):
        pairs = list(zip(values.schema.names, values.columns, strict=True))
    elif getattr(getattr(values, "dtype", None), "names", None):
        pairs = [(name, values[name]) for name in values.dtype.names]
    elif hasattr(values, "items"):
        pairs = list(values.items())
    else:
        pairs = [("z", as_column(values).require("the table of factors"))]
        if len(pairs[0][1].shape) == 1:
            pairs = [("z", values.take((slice(None), None))) for _, values in pairs]
    return [(str(name), value) for name, value in pairs]


def require_unlike(names: list[str], what: str) -> None:
    """Refuse names that are the same as text.

    Raises:
        InputError: a name that comes more than once.
    """
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(
            f"{what} must have different names; {twice[0]!r} comes {names.count(twice[0])} times. "
            "Rename them or leave one out."
        )


def _factor(name: str, column: Column, given: str | None) -> Factor:
    kind, period, order = parse_kind(name, given) if given else (None, None, ())
    order = order or column.order
    if kind is None:
        kind = _infer(name, column)
    elif kind in (Kind.CONTINUOUS, Kind.CIRCULAR, Kind.ORDINAL) and not order:
        column = _numbers(name, column, kind)
    there = ~column.missing
    if column.values.dtype.kind == "f":
        _require_finite(torch.as_tensor(np.where(there, column.values, 0)), f"factor {name!r}")
    missing = None if there.all() else torch.as_tensor(column.missing)
    values = np.full(column.shape, np.nan)
    if kind in (Kind.CONTINUOUS, Kind.CIRCULAR):
        values[there] = _as_floats(name, column.values[there])
        return Factor(
            name=_shown(name),
            kind=kind,
            values=torch.as_tensor(values),
            period=period,
            missing=missing,
        )
    levels, values[there] = _coded(name, column.values[there], order)
    present = len(np.unique(values[there]))
    if kind is Kind.BINARY and present > 2:
        raise InputError(
            f"factor {name!r} is binary but has {present} levels. Call it categorical."
        )
    if kind is Kind.CATEGORICAL and present > there.sum() / 2:
        raise InputError(
            f"factor {name!r} is categorical but has {present} levels in "
            f"{there.sum()} samples; most occur once. Give its kind, or coarser levels."
        )
    return Factor(
        name=_shown(name),
        kind=kind,
        values=torch.as_tensor(values),
        levels=tuple(map(_shown, levels)),
        missing=missing,
    )


def _shown(name: str) -> str:
    """A name as tables and figures can hold it."""
    name = printable(name, keep="")
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}... ({len(name):,} characters)"


def _infer(name: str, column: Column) -> Kind:
    values = column.values[~column.missing]
    n_levels = len(np.unique(values))
    if n_levels == 2 or values.dtype.kind == "b":
        return Kind.BINARY
    if column.order:
        return Kind.ORDINAL
    if column.text:
        _refuse_slips(name, column)
        return Kind.CATEGORICAL
    if column.named:
        return Kind.CATEGORICAL
    if values.dtype.kind == "f":
        return Kind.CONTINUOUS
    few = n_levels <= min(FEW_LEVELS, len(values) / 2)
    return Kind.CATEGORICAL if few else Kind.ORDINAL


def _refuse_slips(name: str, column: Column) -> None:
    """Words among numbers: is it a slip, or are the numbers names?"""
    rows = np.flatnonzero(~column.missing)
    odd = rows[~is_number(column.values[rows])]
    if 0 < len(odd) <= (1 - MOSTLY) * len(rows):
        raise InputError(
            f"factor {name!r} holds numbers, but for {len(odd)} of {len(rows)} values, such as "
            f"{column.values[odd[0]]!r} in row {odd[0]}. Empty those cells, which then count as "
            f"missing, or say that its values are names: {name}=categorical."
        )


def _numbers(name: str, column: Column, kind: Kind) -> Column:
    found = column.as_numbers()
    if found is not None:
        return found
    levels = np.unique(column.values[~column.missing].astype(str))
    if kind is Kind.ORDINAL:
        some = ",".join(levels[:4]) + (",..." if len(levels) > 4 else "")
        raise InputError(
            f"factor {name!r} is ordinal but holds text, whose order nobody gave. Say it from the "
            f"lowest to the highest, as {name}=ordinal:LOWEST,...,HIGHEST with all of {some}"
        )
    raise InputError(f"factor {name!r} is {kind} but holds strings. Give numbers.")


def _as_floats(name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    """The numbers in float64, no two of them made one."""
    found = values.astype(np.float64)
    beyond = values.dtype.kind in "iu" and np.abs(found).max(initial=0) >= EXACT
    if beyond and len(np.unique(found)) < len(np.unique(values)):
        raise InputError(
            f"factor {name!r} has integers beyond 2^53 of which float64 makes one where they are "
            "two. Subtract the least of them, or call it ordinal."
        )
    return found


def _coded(
    name: str, values: NDArray[Any], order: tuple[str, ...]
) -> tuple[tuple[str, ...], NDArray[Any]]:
    """The levels, and the index of each value among them."""
    levels, index = np.unique(values, return_inverse=True)
    words = [str(level) for level in levels.tolist()]
    if not order:
        return tuple(words), index.reshape(-1)
    rank = {word: j for j, word in enumerate(order)}
    if values.dtype.kind != "O" and values.dtype.kind != "U":  # 2.0 is 2
        numbers = {float(word): j for word, j in rank.items() if is_number(np.array([word]))[0]}
        ranks = [numbers.get(float(level)) for level in levels]
    else:
        ranks = [rank.get(word) for word in words]
    lost = [word for word, j in zip(words, ranks, strict=True) if j is None]
    if lost:
        raise InputError(
            f"factor {name!r} has {len(lost)} levels that its order lacks, such as {lost[0]!r}; "
            f"the order is {','.join(order)}. Name all levels from the lowest to the highest."
        )
    return order, np.array(ranks, dtype=float)[index.reshape(-1)]


def parse_kind(name: str, given: str) -> tuple[Kind, float | None, tuple[str, ...]]:
    """Kind, period and order of the levels of a factor, from a kind's words.

    Raises:
        InputError: words that are no kind.
    """
    word, _, rest = str(given).partition(":")
    if word not in list(Kind):
        raise unknown_name(f"kind of factor {name!r}", word, [kind.value for kind in Kind])
    kind = Kind(word)
    if kind is Kind.CIRCULAR:
        return kind, _period(name, given, rest), ()
    order = tuple(level.strip() for level in rest.split(",")) if rest else ()
    if order and (kind is not Kind.ORDINAL or len(set(order)) < max(2, len(order)) or "" in order):
        raise InputError(
            f"factor {name!r} has kind {str(given)!r}; levels in order, each once, are for ordinal "
            "factors, such as ordinal:low,mid,high."
        )
    return kind, None, order


def _period(name: str, given: str, turn: str) -> float:
    try:
        period = float(turn)
    except ValueError:
        period = 0.0
    if not 0 < period < float("inf"):
        raise InputError(
            f"factor {name!r} has kind {str(given)!r}; a circular factor needs one full turn "
            "in its own unit, such as circular:360 for degrees."
        )
    return period


def _tensor(values: Any, name: str) -> Tensor:
    """Numbers of any container as a tensor, over the same memory where that can be."""
    if isinstance(values, Tensor) and _is_ordinary(values):
        eighth = values.is_floating_point() and values.dtype.itemsize == 1
        return (values.float() if eighth else values).detach().cpu()
    if isinstance(values, pd.DataFrame) and values.size:
        columns = [values.iloc[:, j] for j in range(values.shape[1])]
        named = [f"column {label!r} of {name}" for label in values.columns]
        numbers = [_array(c, label) for c, label in zip(columns, named, strict=True)]
        values = np.stack([n.astype(np.result_type(*numbers)) for n in numbers], axis=1)
    given = _array(values, name)
    native = given.astype(given.dtype.newbyteorder("="), order="C", copy=False)
    return from_numpy(given if native is given else native)


def _is_ordinary(values: Tensor) -> bool:
    odd = values.is_complex() or values.is_quantized or values.is_meta
    return not odd and values.layout == torch.strided


def _array(values: Any, name: str) -> NDArray[Any]:
    """Numbers of any container, with NaN where they are missing."""
    masked = isinstance(values, np.ma.MaskedArray)
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and not masked:
        usual = values.ndim > 0 and values.dtype.itemsize <= 8
    else:
        usual = False
    if usual:
        return values  # type: ignore[no-any-return]
    column = as_column(values).require(name)
    if column.text:
        raise InputError(f"{name} must hold numbers; got text.")
    if column.missing.any():
        return np.where(column.missing, np.nan, column.values)
    return column.values


def _require_finite(values: Tensor, name: str) -> None:
    most = largest(values)
    if not math.isfinite(most):
        bad, rows = not_finite(values)
        raise InputError(
            f"{name} has {bad} values that are NaN or infinite, of {values.numel()}, first in "
            f"rows {', '.join(map(str, rows))}. Drop those samples or fill them in."
        )
    if values.dtype == torch.float64 and most and not TINY <= most <= HUGE:
        raise InputError(
            f"{name} has values up to {most:.0e}, whose squares float64 cannot hold. Give it in "
            "another unit."
        )
