"""Factors: a named, typed table of what is known about each sample.

A factor's kind decides which linear probe and which score fit it: an azimuth is two numbers
on a circle, not 0..355, and an object's identity is a class, not a number.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Int, Shaped
from numpy.typing import ArrayLike
from torch import Tensor

from identikit.core.errors import InputError, unknown_name


class Kind(StrEnum):
    """What sort of quantity a factor is."""

    CONTINUOUS = "continuous"
    CIRCULAR = "circular"
    ORDINAL = "ordinal"
    CATEGORICAL = "categorical"
    BINARY = "binary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One column: n values of one kind.

    Raises:
        InputError: values that are not one-dimensional, not finite, or do not vary.
    """

    name: str
    kind: Kind
    values: Shaped[Tensor, " n"]
    """Float64 in the factor's own unit; for categorical and binary factors the index of
    the level, for ordinal factors its rank."""
    period: float | None = None
    """One full turn in the values' unit; given for circular factors and for no others."""
    levels: tuple[str, ...] = ()
    """Names of the levels, where they have names."""
    missing: Bool[Tensor, " n"] | None = None
    """Samples that have no value, where there are any; `values` is NaN there and nowhere else."""

    def __post_init__(self) -> None:
        if self.values.ndim != 1:
            raise InputError(
                f"factor {self.name!r} must be one value per sample; "
                f"got an array of shape {tuple(self.values.shape)}."
            )
        there = self.values if self.missing is None else self.values[~self.missing]
        if len(self.values) and not len(there):
            raise InputError(f"factor {self.name!r} has no value in any row. Leave it out.")
        bad = int((~torch.isfinite(there.double())).sum())
        if bad:
            raise InputError(
                f"factor {self.name!r} has {bad} values that are NaN or infinite, of "
                f"{len(self.values)}. Drop those samples or fill them in."
            )
        if len(there) and bool((there == there[0]).all()):
            raise InputError(
                f"factor {self.name!r} is constant ({there[0].item():g} in all "
                f"{len(there)} samples), so nothing can be read out. Leave it out."
            )
        if (self.kind is Kind.CIRCULAR) != (self.period is not None):
            raise InputError(
                f"factor {self.name!r} is {self.kind} with period {self.period}; "
                "a circular factor needs a period (360 for degrees), others take none."
            )

    def renamed(self, name: str) -> "Factor":
        """The same values under another name."""
        return replace(self, name=name)


class Factors(Mapping[str, Factor]):
    """An ordered table of factors over the same n samples.

    Raises:
        InputError: no factors, repeated names, or columns of different lengths.
    """

    def __init__(self, factors: list[Factor] | tuple[Factor, ...]) -> None:
        if not factors:
            raise InputError("factors is empty; give at least one factor.")
        lengths = {factor.name: len(factor.values) for factor in factors}
        if len(lengths) < len(factors):
            raise InputError("two factors have the same name; names must differ.")
        if len(set(lengths.values())) > 1:
            raise InputError(f"factors must have one value per sample each; got lengths {lengths}.")
        self._factors = {factor.name: factor for factor in factors}

    def __getitem__(self, name: str) -> Factor:
        if name not in self._factors:
            raise unknown_name("factor", name, self._factors)
        return self._factors[name]

    def __contains__(self, name: object) -> bool:
        return name in self._factors

    def __iter__(self) -> Iterator[str]:
        return iter(self._factors)

    def __len__(self) -> int:
        return len(self._factors)

    @property
    def n_samples(self) -> int:
        """Number of samples (rows)."""
        return len(next(iter(self._factors.values())).values)

    def complete(self) -> "Factors | None":
        """The factors that have a value in every row, if there are any."""
        found = [factor for factor in self.values() if factor.missing is None]
        return Factors(found) if found else None

    def incomplete(self) -> list[tuple[Int[Tensor, " rows"], "Factors"]]:
        """The others, together where they lack the same rows: the rows that they have, and they."""
        groups: dict[bytes, tuple[Tensor, list[Factor]]] = {}
        for factor in self.values():
            if factor.missing is not None:
                rows = (~factor.missing).nonzero().flatten()
                whole = replace(factor, values=factor.values[rows], missing=None)
                groups.setdefault(rows.numpy().tobytes(), (rows, []))[1].append(whole)
        return [(rows, Factors(factors)) for rows, factors in groups.values()]

    def jointly(self) -> tuple[Int[Tensor, " rows"], "Factors"]:
        """The rows in which every factor has a value, and all factors there."""
        missing = torch.zeros(self.n_samples, dtype=torch.bool)
        for factor in self.values():
            missing |= False if factor.missing is None else factor.missing
        rows = (~missing).nonzero().flatten()
        whole = [replace(f, values=f.values[rows], missing=None) for f in self.values()]
        return rows, Factors(whole)

    def to_frame(self) -> pd.DataFrame:
        """The values as a data frame, one column per factor."""
        return pd.DataFrame({name: f.values.cpu().numpy() for name, f in self.items()})

    @classmethod
    def from_latents(cls, z: ArrayLike | Tensor) -> "Factors":
        """Continuous factors z1, z2, ... from a matrix (n, d_z)."""
        array = torch.as_tensor(z) if isinstance(z, Tensor) else torch.as_tensor(np.asarray(z))
        if array.ndim != 2:
            raise InputError(f"factors must be a matrix (n, d_z); got shape {tuple(array.shape)}.")
        return cls(
            [
                Factor(name=f"z{j + 1}", kind=Kind.CONTINUOUS, values=array[:, j].double())
                for j in range(array.shape[1])
            ]
        )
