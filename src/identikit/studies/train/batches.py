"""Batches of augmented images by their step.

Their order comes from (seed, epoch), what is drawn for an image from (seed, step, its place in the
batch), so that ranks which share a batch see what one alone would.

Epoch e is a permutation of all images, and step k takes the k-th batch of all epochs one after
another. So a batch is a function of its step, whoever makes it: this process, or others ahead.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from identikit.core.errors import InputError, in_words
from identikit.core.randomness import stream
from identikit.core.ranks import Shard
from identikit.worlds.augmentations import Augmentation

_AHEAD = 4
"""Batches that each process keeps ready."""


@dataclass(kw_only=True)
class ImageBatches(Dataset[tuple[Tensor, Tensor]]):
    """What each step sees."""

    pixels: UInt8[Tensor, "n c side side"]
    places: Int[Tensor, " trained"]
    """Which of these images are trained on."""
    label: Int[Tensor, " trained"]
    """Of each of those."""
    augment: Augmentation
    seed: int
    batch_size: int
    views: int
    """Rows in a batch that show one image, each augmented by itself."""
    steps: int
    workers: int
    pin: bool
    """For copies to a device."""
    _next: int = -1
    _ahead: Iterator[tuple[Tensor, Tensor]] | None = None
    _order: dict[int, Tensor] = field(default_factory=dict)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Pixels (batch, c, side, side), uint8, and the label of each."""
        if not self.workers:
            return self[step]
        if self._ahead is None or step != self._next:
            self._ahead = iter(
                DataLoader(
                    self,
                    batch_size=None,
                    sampler=range(step, max(self.steps, step + 1)),
                    num_workers=self.workers,
                    prefetch_factor=_AHEAD,
                    pin_memory=self.pin,
                )
            )
        self._next = step + 1
        x, label = next(self._ahead)
        return x, label

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        rows = self.rows(step).repeat_interleave(self.views)
        first = stream(self.seed, f"augmentation/{step}").initial_seed() >> 1
        mine = Shard.of(len(rows))
        made = []
        with _restored():
            for k in range(mine.start, mine.stop):
                _seed(first + k)
                made.append(self._augmented(int(self.places[rows[k]])))
        return torch.stack(made), self.label[mine.take(rows)]

    def rows(self, step: int) -> Int[Tensor, " images"]:
        """Which of the images that are trained on a step sees."""
        n, size = len(self.places), self.batch_size // self.views
        place = torch.arange(step * size, (step + 1) * size)
        epochs = range(int(place[0]) // n, int(place[-1]) // n + 1)
        order = torch.cat([self._permutation(epoch) for epoch in epochs])
        return order[place - epochs[0] * n]

    def _permutation(self, epoch: int) -> Tensor:
        if epoch not in self._order:
            drawn = torch.randperm(len(self.places), generator=stream(self.seed, f"order/{epoch}"))
            self._order = {k: v for k, v in self._order.items() if k == epoch - 1} | {epoch: drawn}
        return self._order[epoch]

    def _augmented(self, place: int) -> Tensor:
        image = self.pixels[place]
        try:
            made: Any = self.augment(image)
        except Exception as error:
            raise InputError(f"the augmentation fails: {in_words(error)}.") from error
        if not isinstance(made, Tensor) or made.shape != image.shape or made.dtype != torch.uint8:
            got = f"{tuple(made.shape)}, {made.dtype}" if isinstance(made, Tensor) else type(made)
            raise InputError(
                f"the augmentation should make pixels of pixels, {tuple(image.shape)} in uint8; it "
                f"made {got}."
            )
        return made


def _seed(seed: int) -> None:
    """Seed the global generators that augmentations draw from: torch, NumPy, Python."""
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)


@contextmanager
def _restored() -> Iterator[None]:
    """Have these generators as they were afterwards."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
