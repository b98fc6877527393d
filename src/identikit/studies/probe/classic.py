"""The classic scores of disentanglement for a probe's page, each by the defaults of its room."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factors, Kind
from identikit.core.randomness import stream

BINS = 20
"""Levels of equal mass that factors of numbers are cut into."""
MOST_ROWS, LEAST_ROWS, NUMBERS = 10_000, 1_000, 1 << 20
"""Rows at most, rows at least, and numbers in between: boosted trees take seconds for each
million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicScore:
    """One number."""

    name: str
    value: float | None
    """None where it could not be had; the status says why."""
    chance: float | None
    """What a code that knows nothing reaches, where that is known."""
    variant: str
    axis_aligned: bool
    rows: int
    """Samples it was computed from."""
    status: str


def classic_scores(
    h: Float[Tensor, "n d_h"], factors: Factors, *, seed: int
) -> tuple[ClassicScore, ...]:
    """All of them, from a random part of the samples where these are many."""
    from identikit import disentanglement as classic  # imports scikit-learn, most often for nothing

    seeded: dict[str, Callable[..., Any]] = {
        "DCI": classic.dci,
        "SAP": classic.sap,
        "IRS": classic.irs,
        "FactorVAE": classic.factor_vae,
        "BetaVAE": classic.beta_vae,
        "explicitness": classic.explicitness,
    }
    counted: dict[str, Callable[..., Any]] = {"MIG": classic.mig, "modularity": classic.modularity}
    n, d = h.shape
    rows = min(n, MOST_ROWS, max(LEAST_ROWS, NUMBERS // d))
    chosen = torch.randperm(n, generator=stream(seed, "classic rows"))[:rows].sort().values
    codes = h[chosen].double().numpy()
    levels = np.stack([_levels(f.kind, f.values[chosen].numpy()) for f in factors.values()], axis=1)
    ready = {
        name: partial(each, codes, levels, generator=stream(seed, name))
        for name, each in seeded.items()
    } | {name: partial(each, codes, levels) for name, each in counted.items()}
    return tuple(found for name, each in ready.items() for found in _scores(name, each, rows))


def _levels(kind: Kind, values: NDArray[Any]) -> NDArray[Any]:
    if kind in (Kind.CATEGORICAL, Kind.BINARY):
        return values
    from identikit.disentanglement.table import cut

    return cut(values[:, None].astype(float), bins=BINS, keep=BINS)[:, 0]


def _scores(name: str, each: Callable[[], Any], rows: int) -> list[ClassicScore]:
    try:
        found = each()
    except InputError as error:  # the scores that can be had are not lost
        return [
            ClassicScore(
                name=name,
                value=None,
                chance=None,
                variant="-",
                axis_aligned=name != "explicitness",
                rows=rows,
                status=str(error),
            )
        ]
    if name != "DCI":
        numbers = {name: found.score}
    else:
        parts = ("disentanglement", "completeness", "informativeness")
        numbers = {f"DCI {part}": getattr(found, part) for part in parts}
    return [
        ClassicScore(
            name=label,
            value=float(value),
            chance=getattr(found, "chance", None),
            variant=found.variant,
            axis_aligned=found.axis_aligned,
            rows=rows,
            status=found.status,
        )
        for label, value in numbers.items()
    ]
