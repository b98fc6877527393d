"""The scores of a COIL-20 run: R² = 1 - mean |(cos, sin) - prediction|², accuracy.

Over a whole turn (cos, sin) has mean 0 and mean square 1, so this is the pooled R² of both,
and exactly 0 for a read-out that always says 0. Intervals: 2.5 to 97.5 percentile over
resamples of objects (for scores over all objects) or of 30 degree arcs (within an object),
because neighbouring azimuths are not independent. Errors are averaged over seeds first;
the seeds' own scores stand beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from identikit.core.config import from_dict, to_dict
from identikit.core.estimate import Estimate
from identikit.core.randomness import stream
from identikit.statistics.bootstrap import Bootstrap
from identikit.studies.paper.coil20.config import Coil20Config
from identikit.studies.paper.coil20.readout import Readouts
from identikit.training.fit import Record
from identikit.worlds.constants import AZIMUTHS, OBJECTS, STEP_DEG

CONTROLS = ("pixels", "random projection", "untrained")
BLOCK_DEG = 30
"""Least length of the arcs that are resampled within an object."""


@dataclass(slots=True, kw_only=True)
class Training:
    """How the encoders of one objective were trained."""

    labels: int = 0
    ranks: list[int] = field(default_factory=list)
    """Dimensions of h that the theorem covers, per encoder."""
    histories: list[list[Record]] = field(default_factory=list)
    """Training curve of each encoder."""

    def add(self, *, labels: int, rank: int, history: list[Record]) -> None:
        """Note one more encoder."""
        self.labels = labels
        self.ranks.append(rank)
        self.histories.append(history)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What stands linearly in one set of features, on held-out azimuths."""

    azimuth: Estimate
    """Circular R², one read-out per object, mean over objects."""
    azimuth_by_object: tuple[Estimate, ...]
    azimuth_by_seed: tuple[float, ...]
    pooled: Estimate
    """Circular R² of one read-out for all objects."""
    object: Estimate
    """Accuracy of naming the object, among 20."""
    within_share: float
    """Share of the features' variance that lies within objects."""


@dataclass(frozen=True, kw_only=True)
class Coil20Result:
    """Everything that a page or a table of the run needs."""

    config: Coil20Config
    readouts: dict[str, Readouts]
    """By set of features: controls, then the objectives and their parts."""
    training: dict[str, Training]
    """By objective."""
    symmetry: Float[Tensor, " 20"]
    """R² of the azimuth that symmetry leaves to each object (a prediction, not a bound)."""
    fronts: UInt8[Tensor, "20 side side"]
    """One image per object."""
    seconds: float

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """Scores of every set of features."""
        return {name: self._score(readouts) for name, readouts in self.readouts.items()}

    def difference(self, name: str, control: str) -> Estimate:
        """Azimuth R² of one set of features less that of another, paired by object."""
        gain = self._errors(control).mean(1) - self._errors(name).mean(1)
        return self._over_objects(gain[:, None])[0]

    def symmetry_correlation(self, name: str) -> float:
        """Correlation, over objects, of the azimuth R² found with what symmetry leaves."""
        found = 1 - self._errors(name).mean(1)
        return float(torch.corrcoef(torch.stack([found, self.symmetry]))[0, 1])

    def _score(self, readouts: Readouts) -> Scores:
        errors = self._squared(readouts.azimuth)
        pooled = self._squared(readouts.pooled).mean(0)
        named = readouts.object.view(-1, OBJECTS, AZIMUTHS) == torch.arange(OBJECTS)[:, None]
        by_object = torch.stack(
            [1 - errors.mean((0, 2)), 1 - pooled.mean(1), named.double().mean((0, 2))], dim=1
        )
        azimuth, all_at_once, accuracy = self._over_objects(by_object)
        return Scores(
            azimuth=azimuth,
            azimuth_by_object=self._over_arcs(1 - errors.mean(0).T),
            azimuth_by_seed=tuple((1 - errors.mean((1, 2))).tolist()),
            pooled=all_at_once,
            object=accuracy,
            within_share=float(readouts.within_share.mean()),
        )

    def _differences(self) -> dict[str, Any]:
        """Azimuth R² of each objective less that of each control and each other one."""
        whole = [*CONTROLS, *self.config.objectives]
        return {
            f"{name} - {control}": to_dict(self.difference(name, control))
            for name in self.config.objectives
            for control in whole
            if control != name
        }

    def _errors(self, name: str) -> Float[Tensor, "20 72"]:
        return self._squared(self.readouts[name].azimuth).mean(0)

    def _squared(self, prediction: Tensor) -> Float[Tensor, "seeds 20 72"]:
        angle = (torch.arange(AZIMUTHS).double() + 1).mul(STEP_DEG).deg2rad()
        circle = torch.stack([angle.cos(), angle.sin()], dim=1)
        split = prediction.double().view(-1, OBJECTS, AZIMUTHS, 2)
        return (split - circle).square().sum(3)

    def _over_objects(self, values: Float[Tensor, "20 k"]) -> list[Estimate]:
        return self._means(values, torch.arange(OBJECTS))

    def _over_arcs(self, values: Float[Tensor, "72 k"]) -> tuple[Estimate, ...]:
        block = max(self.config.arc_degrees, BLOCK_DEG) // STEP_DEG
        return tuple(self._means(values, torch.arange(AZIMUTHS) // block))

    def _means(self, values: Float[Tensor, "n k"], groups: Tensor) -> list[Estimate]:
        bootstrap = Bootstrap(
            groups,
            resamples=self.config.resamples,
            generator=stream(self.config.seed, "coil20/bootstrap"),
        )
        return bootstrap.estimates(lambda w: (w @ values) / w.sum(1, keepdim=True))

    def to_dict(self) -> dict[str, Any]:
        """Scores and training as JSON holds them; the rest is in `arrays`."""
        return {
            "status": "completed",
            "config": to_dict(self.config),
            "seconds": self.seconds,
            "scores": {name: to_dict(scores) for name, scores in self.scores.items()},
            "symmetry": self.symmetry.tolist(),
            "differences": self._differences(),
            "training": {name: to_dict(training) for name, training in self.training.items()},
        }

    def arrays(self) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        """Predictions and pictures, from which every score follows."""
        found = {"fronts": self.fronts.numpy()}
        for name, r in self.readouts.items():
            for kind in _READOUT_FIELDS:
                found[f"{name}/{kind}"] = getattr(r, kind).numpy()
        return found

    @classmethod
    def from_dict(
        cls,
        plain: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]],
    ) -> "Coil20Result":
        """The result that `to_dict` and `arrays` came from."""
        tensors = {name: torch.from_numpy(a) for name, a in arrays.items()}
        return cls(
            config=from_dict(Coil20Config, plain["config"]),
            readouts={
                name: Readouts(**{kind: tensors[f"{name}/{kind}"] for kind in _READOUT_FIELDS})
                for name in plain["scores"]
            },
            training={name: Training(**kept) for name, kept in plain["training"].items()},
            symmetry=torch.tensor(plain["symmetry"], dtype=torch.float64),
            fronts=tensors["fronts"],
            seconds=plain["seconds"],
        )


_READOUT_FIELDS = ("azimuth", "pooled", "object", "within_share")
