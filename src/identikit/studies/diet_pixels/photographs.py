"""Photographs of objects from many sides, and what is linearly in features of those held out.

Encoder and linear probe see three quarters of the views of every object, or of the objects; scores
are of the others. Ridge penalties are chosen by holding out the other quarters in turn: the test
that is scored, repeated without the scored images. Classes are read out by regression on their
indicators. Every object of COIL-20 counts its azimuth from a front of its own, so of held-out views
it is read out by a map for each object; of objects that were never seen there is no such map.
Shapes: h (n, d), scores of the rows held out.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import one_hot

from identikit.core.errors import InputError
from identikit.core.factors import Factor, Factors, Kind
from identikit.probing.default_measures import MEASURES
from identikit.probing.linear_probes import targets
from identikit.probing.regression import regress
from identikit.statistics.split import Split
from identikit.studies.diet_pixels.config import FOLDS
from identikit.worlds.coil20 import load_coil20
from identikit.worlds.constants import AZIMUTHS, STEP_DEG
from identikit.worlds.eth80 import load_eth80
from identikit.worlds.pixels import as_pixels

ARC = 30
"""Degrees of COIL-20's turntable that are held out together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Photographs:
    """A set of them."""

    pixels: UInt8[Tensor, "n c side side"]
    keys: tuple[str, ...]
    factors: Factors
    objects: Int[Tensor, " n"]
    views: Int[Tensor, " n"]
    """Numbered so that every fourth is a fair sample of all."""
    own_azimuth: bool
    """Whether each object counts its azimuth from a front of its own."""

    def fold(self, held_out: str) -> Int[Tensor, " n"]:
        """Which quarter each image is in."""
        group: Tensor = getattr(self, held_out)
        return group % FOLDS

    def held_out(self, kind: str, *, seed: int) -> Bool[Tensor, " n"]:
        """The images that are not trained on."""
        return self.fold(kind) == seed % FOLDS

    def read(self, held_out: str) -> tuple[str, ...]:
        """The factors that can be read out; a new object is none of those seen."""
        return tuple(name for name in self.factors if (held_out, name) != ("objects", "object"))


def load_photographs(data: str, file: Path, *, size: int) -> Photographs:
    """The photographs of a set.

    Args:
        data: coil20 or eth80.
        file: The set's file.
        size: Pixels a side of ETH-80.

    Raises:
        InputError: a file that is missing, damaged or of another kind.
    """
    if data == "coil20":
        coil20 = load_coil20(file)
        turn = torch.arange(len(coil20.images)) % AZIMUTHS
        return Photographs(
            pixels=as_pixels(coil20.images, None),
            keys=tuple(
                f"{o + 1:02}-{a:03.0f}.png"
                for o, a in zip(coil20.object.tolist(), coil20.azimuth_deg.tolist(), strict=True)
            ),
            factors=coil20.factors(),
            objects=coil20.object,
            views=turn // (ARC // STEP_DEG),
            own_azimuth=True,
        )
    eth80 = load_eth80(file)
    return Photographs(
        pixels=as_pixels(eth80.pixels, size),
        keys=eth80.keys,
        factors=eth80.factors,
        objects=eth80.object,
        views=eth80.view,
        own_azimuth=False,
    )


def read_out(
    h: Float[Tensor, "n d"], photographs: Photographs, held_out: str, *, seed: int
) -> dict[str, float]:
    """Score of each factor on the images held out, by its default measure.

    Raises:
        InputError: a factor that does not vary there.
    """
    return {
        name: _score(h, photographs, photographs.factors[name], held_out, seed=seed)
        for name in photographs.read(held_out)
    }


def chance(factor: Factor) -> float:
    """What guessing reaches."""
    return MEASURES[factor.kind].chance(len(factor.values.unique()))


def _score(
    h: Tensor, photographs: Photographs, factor: Factor, held_out: str, *, seed: int
) -> float:
    there = torch.ones(len(h), dtype=torch.bool) if factor.missing is None else ~factor.missing
    parts = [there]
    if factor.kind is Kind.CIRCULAR and photographs.own_azimuth and held_out == "views":
        parts = [there & (photographs.objects == o) for o in photographs.objects.unique()]
    target, fold = _columns(factor), photographs.fold(held_out)
    predicted, truth = [], []
    for part in parts:
        rows = part.nonzero()[:, 0]
        seen = fold[rows] != seed % FOLDS
        split = Split(train=rows[seen], test=rows[~seen])
        inner = fold[split.train]
        folds = [
            Split(train=(inner != k).nonzero()[:, 0], test=(inner == k).nonzero()[:, 0])
            for k in inner.unique().tolist()
        ]
        predicted += regress(h, [target], split=split, folds=folds)
        truth.append(split.test)
    of, rows = torch.cat(predicted), torch.cat(truth)
    classes = factor.kind is Kind.CATEGORICAL
    statistic = MEASURES[factor.kind].of(
        of.argmax(1) if classes else of, factor.values[rows] if classes else target[rows]
    )
    score = float(statistic(torch.ones(1, len(rows), dtype=torch.float64)))
    if not math.isfinite(score):
        raise InputError(
            f"{factor.name} has one value in the quarter of {held_out} that seed {seed} holds out, "
            "so that nothing can be scored. Give photographs of more of them."
        )
    return score


def _columns(factor: Factor) -> Float[Tensor, "n k"]:
    if factor.kind is Kind.CATEGORICAL:
        return one_hot(factor.values).double()
    return targets(factor)
