"""How training stands: images a second, the loss, and what is linearly in h so far."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from identikit.core.factors import Factors, Kind
from identikit.features.inputs import circular
from identikit.probing.metric import PARTS, LinearRecovery, part_of
from identikit.training.fit import Progress

SEEN = 2048
"""Images that the live probe looks at, at most."""
_MOST_LEVELS = 64


def some_rows(n: int, most: int) -> Int[Tensor, " rows"]:
    """At most so many rows of n, spread evenly."""
    return torch.arange(min(n, most)) * n // min(n, most)


def taken(factors: Factors, rows: Int[Tensor, " rows"]) -> Factors:
    """The same factors of some rows."""
    return Factors(
        [
            replace(
                factor,
                values=factor.values[rows],
                missing=None if factor.missing is None else factor.missing[rows],
            )
            for factor in factors.values()
        ]
    )


class LiveProbe:
    """R² of each factor on images that the probe was not fitted on, batch by batch.

    Of classes that is the mean over classes, each against the others.

    Args:
        factors: Of all images.
        groups: A label of each image; those that share one are held out together.
        trained: Which images the encoder is trained on, if not all: the others are held out.
    """

    def __init__(
        self, factors: Factors, groups: Shaped[np.ndarray, " n"] | None, trained: Bool[Tensor, " n"]
    ) -> None:
        there, known = factors.jointly()
        some = some_rows(len(there), SEEN)
        self.rows, known = there[some], taken(known, some)
        self.part = _parts(
            None if groups is None else groups[self.rows.numpy()], trained[self.rows]
        )
        self.columns: dict[str, Tensor] = {}
        self.kinds: dict[str, str] = {}
        self.factor_of: dict[str, str] = {}
        for name, factor in known.items():
            found = {name: factor.values.double()}
            if factor.kind is Kind.CATEGORICAL:
                levels = factor.values.unique()
                found = {f"{name}={k:g}": (factor.values == k).double() for k in levels.tolist()}
                found = found if len(found) <= _MOST_LEVELS else {}
            elif factor.period is not None:
                self.kinds[name] = circular(factor.period)
            self.columns |= found
            self.factor_of |= dict.fromkeys(found, name)
        if torch.bincount(self.part, minlength=PARTS).min() < 2:
            self.columns = {}  # too few images to fit and to score

    def __call__(
        self, encode: Callable[[Int[Tensor, " rows"]], Float[Tensor, "rows d_h"]]
    ) -> dict[str, float]:
        """The scores of the encoder as it is, by factor, with their mean under `r2`."""
        if not self.columns:
            return {}
        h = encode(self.rows)
        metric = LinearRecovery(dim=h.shape[1], factors=list(self.columns), kinds=self.kinds)
        metric.update(h, torch.stack(list(self.columns.values()), dim=1), part=self.part)
        scores: dict[str, list[float]] = {}
        for name, value in metric.compute().items():
            if name in self.factor_of and math.isfinite(value.item()):
                scores.setdefault(self.factor_of[name], []).append(value.item())
        means = {name: sum(found) / len(found) for name, found in scores.items()}
        return ({"r2": sum(means.values()) / len(means)} if means else {}) | means


def _parts(
    groups: Shaped[np.ndarray, " n"] | None, trained: Bool[Tensor, " n"]
) -> Int[Tensor, " n"]:
    """Parts of `LinearRecovery`, which scores what is held out: whole groups, or the untrained.

    Penalties are chosen by holding out other groups in turn, or images where groups are too few.
    """
    image = torch.arange(len(trained))
    if groups is None:
        return part_of(image)
    group = torch.from_numpy(np.unique(groups.astype(str), return_inverse=True)[1])
    scored = part_of(group) == 0 if bool(trained.all()) else ~trained
    rest, turns = group[~scored].unique(return_inverse=True)[1], PARTS - 1
    if len(rest.unique()) < turns:
        rest = image[: len(rest)]
    part = torch.zeros_like(image)
    part[~scored] = 1 + rest % turns
    return part


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProgress:
    """A line about a fit on images."""

    fit: Progress
    batch_size: int

    @property
    def done(self) -> int:
        """Steps taken."""
        return self.fit.step

    @property
    def total(self) -> int:
        """Of how many at most."""
        return self.fit.steps

    @property
    def seconds_left(self) -> float:
        """Estimated."""
        return self.fit.seconds_left

    @property
    def words(self) -> str:
        """Images a second, loss, and the factors' R² of the last probe."""
        training = max(1e-9, self.fit.seconds - self.fit.evaluation_seconds)
        rate = self.fit.step * self.batch_size / training
        found = {name: r2 for name, r2 in self.fit.evaluation.items() if name != "r2"}
        scores = "".join(f"  {name} {r2:.3f}" for name, r2 in found.items())
        return f"{rate:,.0f} images/s  loss {self.fit.loss:.3f}{scores}"

    @property
    def quiet(self) -> bool:
        """Whether it is no news for a log: it is after each probe."""
        return self.fit.record is None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingProgress:
    """A line about images that are decoded before the first step."""

    done: int
    total: int
    words: str = "images decoded"
    seconds_left: float | None = None
    quiet: bool = True
