"""What makes features of samples: networks, each passed through once for all its layers; pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from identikit.encoders.adapters import ReadableModel, Tap, calibrate, read_layers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkReader:
    """A model on the device."""

    model: ReadableModel
    calibrates: bool = False
    """Whether its batch norms need statistics before it is read."""

    def read(self, x: Tensor, taps: Sequence[Tap | None]) -> list[Tensor]:
        """H of each tap, (n, dim), by one forward pass."""
        return read_layers(cast(Sequence[Tap], taps), self.model.spread(x))

    def calibrate(self, batches: Iterable[Tensor], device: torch.device) -> None:
        """Give its batch norms the statistics of these samples."""
        spread = (self.model.spread(x.to(device)) for x in batches)
        calibrate(self.model.network, self.model.forward, spread)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PixelReader:
    """The images as the model gets them, each pixel the mean of those that it stands for."""

    side: int

    def read(self, x: Tensor, taps: Sequence[Tap | None]) -> list[Tensor]:
        """(n, channels side side), once for each tap."""
        return [adaptive_avg_pool2d(x.float(), self.side).flatten(1) for _ in taps]
