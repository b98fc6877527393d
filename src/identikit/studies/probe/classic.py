"""The classic scores of disentanglement for a probe's page, each by the defaults of its room.

Beside each stand three references, the same score of as many samples: of codes that know nothing
(these, with their rows shuffled), of a random rotation of the factors, and of the factors
themselves as codes. They say where the score lies for so many samples, codes and factors that
depend on each other as these do; `identikit reproduce scores` maps that.
"""

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
from identikit.core.estimate import fixed
from identikit.core.factors import Factors, Kind
from identikit.core.randomness import random_rotation, stream

BINS = 20
"""Levels of equal mass that factors of numbers are cut into."""
MOST_ROWS, LEAST_ROWS, NUMBERS = 10_000, 1_000, 1 << 20
"""Rows at most, rows at least, and numbers in between: boosted trees take seconds for each
million."""
MARGIN = 0.1
"""Distance of a reference from what it should be, above which that is said."""
PARTS = {
    "DCI": {f"DCI {part}": part for part in ("disentanglement", "completeness", "informativeness")},
    "InfoMEC": {"InfoM": "modularity", "InfoE": "explicitness", "InfoC": "compactness"},
}
"""The numbers of what has several; the others have a score."""
READABLE = {"explicitness", "InfoE", "DCI informativeness"}
"""What does not ask for factors on axes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicScore:
    """One number, at its best 1 or nearly so."""

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
    shuffled: float | None = None
    """The same of these codes with their rows shuffled, which know nothing; None where not had."""
    rotated: float | None = None
    """The same of a random rotation of the factors, which has none of them on an axis."""
    perfect: float | None = None
    """The same of the factors themselves as codes."""

    @property
    def warning(self) -> str:
        """In which ways the score misleads for such samples, codes and factors; empty if none."""
        if self.shuffled is None or self.rotated is None or self.perfect is None:
            return ""
        words = []
        if self.shuffled > (self.chance or 0.0) + MARGIN:
            words.append(f"codes that know nothing have {fixed(self.shuffled, 2)}")
        if self.axis_aligned and self.rotated > (self.shuffled + self.perfect) / 2:
            words.append(f"a random rotation of the factors has {fixed(self.rotated, 2)}")
        if self.perfect < 1 - MARGIN:
            words.append(f"the factors themselves have only {fixed(self.perfect, 2)}")
        return f"{self.name}: {', '.join(words)}" if words else ""


def classic_scores(
    h: Float[Tensor, "n d_h"], factors: Factors, *, seed: int
) -> tuple[ClassicScore, ...]:
    """All of them, from a random part of the samples where these are many."""
    n, d = h.shape
    rows = min(n, MOST_ROWS, max(LEAST_ROWS, NUMBERS // d))
    chosen = torch.randperm(n, generator=stream(seed, "classic rows"))[:rows].sort().values
    codes = h[chosen].double().numpy()
    values = [f.values[chosen].numpy().astype(float) for f in factors.values()]
    numbers = np.stack(values, axis=1)
    levels = np.stack([_levels(f.kind, f.values[chosen].numpy()) for f in factors.values()], axis=1)
    unordered = [f.kind for f in factors.values() if f.kind in (Kind.CATEGORICAL, Kind.CIRCULAR)]
    turn = random_rotation(levels.shape[1], stream(seed, "rotation"))
    size = numbers.std(axis=0)
    unit = (numbers - numbers.mean(axis=0)) / np.where(size > 0, size, 1.0)
    order = torch.randperm(rows, generator=stream(seed, "shuffled rows")).numpy()
    beside = {"shuffled": codes[order], "rotated": unit @ turn.numpy(), "perfect": unit}
    scores = _scores(levels, None if unordered else numbers, seed)
    return tuple(
        score for name, each in scores.items() for score in _numbers(name, each, codes, beside)
    )


def _scores(
    levels: NDArray[Any], numbers: NDArray[Any] | None, seed: int
) -> dict[str, Callable[[NDArray[Any]], Any]]:
    """Functions of codes; numbers are None where the order of a factor's values means nothing."""
    from identikit import disentanglement as classic  # imports scikit-learn, most often for nothing

    seeded: dict[str, Callable[..., Any]] = {
        "DCI": classic.dci,
        "InfoMEC": classic.infomec,
        "SAP": classic.sap,
        "IRS": classic.irs,
        "FactorVAE": classic.factor_vae,
        "BetaVAE": classic.beta_vae,
        "explicitness": classic.explicitness,
    }

    def drawn(name: str, codes: NDArray[Any]) -> Any:
        return seeded[name](codes, levels, generator=stream(seed, name))

    def tmex(codes: NDArray[Any]) -> Any:
        if numbers is None:
            raise InputError("T-MEX takes numbers; leave categories and angles out.")
        return classic.tmex(codes, numbers)

    return {
        **{name: partial(drawn, name) for name in seeded},
        "MIG": lambda codes: classic.mig(codes, levels),
        "modularity": lambda codes: classic.modularity(codes, levels),
        "T-MEX": tmex,
    }


def _levels(kind: Kind, values: NDArray[Any]) -> NDArray[Any]:
    if kind in (Kind.CATEGORICAL, Kind.BINARY):
        return values
    from identikit.disentanglement.table import cut

    return cut(values[:, None].astype(float), bins=BINS, keep=BINS)[:, 0]


def _numbers(
    name: str,
    each: Callable[[NDArray[Any]], Any],
    codes: NDArray[Any],
    beside: dict[str, NDArray[Any]],
) -> list[ClassicScore]:
    try:
        found = each(codes)
        others = {word: each(other) for word, other in beside.items()}
    except InputError as error:  # the scores that can be had are not lost
        return [
            ClassicScore(
                name=name,
                value=None,
                chance=None,
                variant="-",
                axis_aligned=name not in READABLE,
                rows=len(codes),
                status=str(error),
            )
        ]

    return [
        ClassicScore(
            name=label,
            value=float(getattr(found, part)),
            chance=getattr(found, f"{part}_chance", getattr(found, "chance", None)),
            variant=found.variant,
            axis_aligned=label not in READABLE,
            rows=len(codes),
            status=found.status,
            **{word: float(getattr(other, part)) for word, other in others.items()},
        )
        for label, part in PARTS.get(name, {name: "score"}).items()
    ]
