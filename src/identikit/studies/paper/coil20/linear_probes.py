"""Linear probes of COIL-20 on azimuths that neither encoder nor linear probe has seen.

(cos a, sin a) is regressed on h, object by object and for all at once, and so are the 20
object indicators. Ridge penalties (and least squares, where it does as well) are chosen by
holding out the other folds' arcs in turn, inside the seen part: the test that is scored,
repeated without the scored images. Leave-one-out or generalised cross-validation would not
do: neighbours 5 degrees away give an image away, so the penalty would come out too weak for
arcs, and far more so for the controls than for a trained encoder. Rows are images, 72 of each
object in order of azimuth.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from identikit.probing.regression import regress
from identikit.statistics.split import Split
from identikit.studies.paper.coil20.config import Coil20Config
from identikit.worlds.coil20 import Coil20
from identikit.worlds.constants import AZIMUTHS, OBJECTS, STEP_DEG


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which azimuths are held out when; the same for all objects."""

    fold: Int[Tensor, " 72"]
    """The fold that holds each azimuth out."""
    folds: int
    margin: int
    """Azimuths on each side of a held-out arc that are not fitted on either."""

    @classmethod
    def of(cls, *, arc_degrees: int, margin_degrees: int, folds: int) -> "Parts":
        """Arcs take turns around the circle, so those of one fold are evenly spaced.

        With three arcs or more, cosine and sine then have mean zero over the seen and over
        the held-out azimuths: a constant scores exactly R² = 0.
        """
        arc = torch.arange(AZIMUTHS) // (arc_degrees // STEP_DEG)
        return cls(fold=arc % folds, folds=folds, margin=margin_degrees // STEP_DEG)

    @classmethod
    def of_run(cls, config: Coil20Config) -> "Parts":
        """Those of a run."""
        return cls.of(
            arc_degrees=config.arc_degrees, margin_degrees=config.margin_degrees, folds=config.folds
        )

    def held_out(self, fold: int) -> Bool[Tensor, " 72"]:
        """Azimuths of the fold."""
        return self.fold == fold

    def seen(self, fold: int) -> Bool[Tensor, " 72"]:
        """Azimuths farther than the margin from all of the fold's."""
        held = self.held_out(fold)
        near = [held.roll(step) for step in range(-self.margin, self.margin + 1)]
        return ~torch.stack(near).any(0)

    def split(self, fold: int, *, objects: int) -> tuple[Split, list[Split]]:
        """Rows of so many objects: the outer split, and its like within the seen part.

        The inner splits count positions within the outer one's training rows.
        """
        seen = self.seen(fold)
        train = seen.repeat(objects).nonzero().flatten()

        def positions(azimuths: Tensor) -> Tensor:
            rows = (seen & azimuths).repeat(objects).nonzero().flatten()
            return torch.searchsorted(train, rows)

        inner = [
            Split(train=positions(self.seen(k)), test=positions(self.held_out(k)))
            for k in range(self.folds)
            if k != fold
        ]
        test = self.held_out(fold).repeat(objects).nonzero().flatten()
        return Split(train=train, test=test), inner


@dataclass(slots=True, kw_only=True)
class ProbePredictions:
    """What linear probes of one set of features say of every image, held out once."""

    azimuth: Float[Tensor, "seeds 1440 2"]
    """Cosine and sine, by one linear probe per object."""
    pooled: Float[Tensor, "seeds 1440 2"]
    """Cosine and sine, by one linear probe for all objects."""
    object: Int[Tensor, "seeds 1440"]
    """The object named."""
    within_share: Float[Tensor, "seeds folds"]
    """Share of the features' variance, over held-out images, that lies within objects."""

    @classmethod
    def empty(cls, *, seeds: int, folds: int) -> "ProbePredictions":
        """To be filled fold by fold."""
        n = OBJECTS * AZIMUTHS
        return cls(
            azimuth=torch.full((seeds, n, 2), torch.nan),
            pooled=torch.full((seeds, n, 2), torch.nan),
            object=torch.full((seeds, n), -1),
            within_share=torch.full((seeds, folds), torch.nan, dtype=torch.float64),
        )

    def fill(
        self, h: Float[Tensor, "1440 d"], data: Coil20, parts: Parts, *, seed: int, fold: int
    ) -> None:
        """Fit on the fold's seen azimuths, predict its held-out ones."""
        circle = data.circle()
        split, inner = parts.split(fold, objects=1)
        for start in range(0, len(h), AZIMUTHS):
            rows = slice(start, start + AZIMUTHS)
            (azimuth,) = regress(h[rows], [circle[rows]], split=split, folds=inner)
            self.azimuth[seed, rows][split.test] = azimuth.float()
        split, inner = parts.split(fold, objects=OBJECTS)
        named = F.one_hot(data.object, OBJECTS).double()
        pooled, votes = regress(h, [circle, named], split=split, folds=inner)
        self.pooled[seed, split.test] = pooled.float()
        self.object[seed, split.test] = votes.argmax(1)
        self.within_share[seed, fold] = within_share(h[split.test], data.object[split.test])


def within_share(h: Float[Tensor, "n d"], group: Int[Tensor, " n"]) -> float:
    """Variance of h within groups over its total variance: 0 if h is constant in each."""
    h = h.double()
    member = F.one_hot(group).double()
    means = (member.T @ h) / member.sum(0)[:, None]
    within = (h - means[group]).square().sum()
    return float(within / (h - h.mean(0)).square().sum())


def symmetry_prediction(data: Coil20, parts: Parts) -> Float[Tensor, " 20"]:
    """R² of the azimuth, per object, if views that look alike could not be told apart.

    A held-out view's lookalikes are the views of its object at least as near to it in
    pixels as the seen one nearest in azimuth. If one cannot tell it from those, the best
    guess of its (cos, sin) is their mean, and R² is the squared length of that mean: about
    1 where only neighbours look alike, about 0 where the far side does too. Fine differences
    may tell some of them apart after all, so this predicts; it does not bound.
    """
    circle = data.circle()[:AZIMUTHS]
    azimuth_distance = 1 - circle @ circle.T
    leaves = torch.zeros(OBJECTS, AZIMUTHS, dtype=torch.float64)
    for o, images in enumerate(data.images.double().view(OBJECTS, AZIMUTHS, -1)):
        pixel_distance = torch.cdist(images, images)
        for fold in range(parts.folds):
            held = parts.held_out(fold).nonzero().flatten()
            seen = parts.seen(fold).nonzero().flatten()
            nearest = seen[azimuth_distance[held][:, seen].argmin(1)]
            alike = (pixel_distance[held] <= pixel_distance[held, nearest, None]).double()
            mean = alike @ circle / alike.sum(1, keepdim=True)
            leaves[o, held] = mean.square().sum(1)
    return leaves.mean(1)
