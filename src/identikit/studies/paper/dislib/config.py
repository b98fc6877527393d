"""What a DisLib table is told, and what each of its cells is told: frozen configs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from identikit.core.choice import Range, check_ranges
from identikit.core.config import digest
from identikit.core.errors import InputError, unknown_name
from identikit.core.files import file_digest
from identikit.encoders.config import STAGED_ENCODERS
from identikit.runs.config import StudyConfig
from identikit.runs.options import chosen_device, named_values, require_device
from identikit.training.config import TrainingConfig

ALL = "all"
DEVICES = ("auto", "cpu", "cuda")
CELL = "dislib-cell"
"""The name under which cells are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much of the protocol is run."""

    size: int | None
    """Pixels a side that images are averaged down to; None: as they come."""
    images: int | None
    """Images of a grid, drawn at random; None: all."""
    epochs: int
    """At most."""
    batch_size: int
    repetitions: int
    resamples: int
    """Behind the interval of one cell; that of the table comes from the repetitions."""


BUDGETS = {
    "laptop": Budget(
        size=32, images=8_000, epochs=4, batch_size=256, repetitions=3, resamples=1000
    ),
    "full": Budget(
        size=None, images=None, epochs=100, batch_size=4096, repetitions=10, resamples=200
    ),
}
"""laptop ends within 20 minutes on four cores; full is the paper's protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellConfig(StudyConfig):
    """One encoder trained once on one factor of one world, and everything read out of it.

    Raises:
        InputError: a value outside its range, named.
    """

    world: str
    """Name of a rendered world or of a data set."""
    encoder: str
    """pixels, linear, mlp or resnet18."""
    task: str
    """The factor that is classified; empty for pixels, which learn nothing."""
    repetition: int = 0
    """Names the random streams: images, split, weights, batches."""
    data: str = ""
    """The data set's file; empty for a rendered world."""
    sha256: Annotated[str, tyro.conf.Suppress] = ""
    """Of the file."""
    size: Annotated[int | None, Range(1)] = None
    """Pixels a side that images are averaged down to; None: as they come."""
    images: Annotated[int | None, Range(1)] = None
    """Images, drawn at random from the grid; None: all."""
    epochs: Annotated[int, Range(1)] = 100
    """At most; training stops at `stop_accuracy` on the validation part."""
    batch_size: Annotated[int, Range(1)] = 4096
    """Images per step."""
    rate: float = 1e-3
    """Adam's, constant."""
    stop_accuracy: float = 0.999
    """Of the validation part."""
    analogies: Annotated[int, Range(1)] = 256
    """Parallelograms per factor."""
    shots: Annotated[int, Range(1)] = 5
    """Images per class of few-shot classification."""
    resamples: int = 1000
    """Bootstrap resamples behind each 95 % interval."""
    device: str = "cpu"
    """cpu or cuda; on the latter training is in mixed precision."""

    def __post_init__(self) -> None:
        if self.encoder not in STAGED_ENCODERS:
            raise unknown_name("encoder", self.encoder, STAGED_ENCODERS)
        check_ranges(self, of="dislib ")

    @property
    def label(self) -> str:
        """World, encoder, task and repetition."""
        return f"{self.world}-{self.encoder}-{self.task}-r{self.repetition}"

    def training(self, n_train: int) -> TrainingConfig:
        """Budget and optimiser for so many training images.

        Raises:
            InputError: a rate that is not positive.
        """
        batch = min(self.batch_size, n_train)
        return TrainingConfig(
            steps=self.epochs * max(1, n_train // batch),
            batch_size=batch,
            optimizer="adam",
            rate=self.rate,
            head_rate=self.rate,
            second_moment=0.999,
            schedule="constant",
            warmup=0.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DisLibConfig(StudyConfig):
    """Which worlds, encoders and tasks, and how much of the protocol.

    Raises:
        InputError: an unknown budget, device or encoder, no such device here, or a value outside
            its range.
    """

    budget: str = "laptop"
    """laptop: within 20 minutes on four cores, from a share of the images, small ones, for a few
    epochs; full: the paper's protocol, for a GPU."""
    worlds: tuple[str, ...] = ("sprites", "rooms")
    """Rendered worlds, which need no download: sprites, rooms."""
    data: tuple[str, ...] = ()
    """Data sets in their original files, as NAME=PATH: shapes3d=3dshapes.h5."""
    encoders: tuple[str, ...] = STAGED_ENCODERS
    """What is trained: pixels (nothing is), linear, mlp, resnet18."""
    tasks: tuple[str, ...] = ()
    """Factors to classify, each with encoders of its own: names, or all; by default the paper's,
    which is the shape (category, car)."""
    repetitions: Annotated[int | None, Range(1)] = None
    """With splits, weights and batches of their own; by default the budget's."""
    images: Annotated[int | None, Range(1)] = None
    """Images of each grid; by default the budget's."""
    epochs: Annotated[int | None, Range(1)] = None
    """At most; by default the budget's."""
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    digests: Annotated[tuple[str, ...], tyro.conf.Suppress] = ()
    """SHA-256 of each file, so that a changed file is another run; filled in by `with_digest`."""

    def __post_init__(self) -> None:
        if self.budget not in BUDGETS:
            raise unknown_name("budget", self.budget, BUDGETS)
        if self.device not in DEVICES:
            raise unknown_name("device", self.device, DEVICES)
        require_device(self.device)
        for name in self.encoders:
            if name not in STAGED_ENCODERS:
                raise unknown_name("encoder", name, STAGED_ENCODERS)
        check_ranges(self)
        if not self.encoders or not (self.worlds or self.data):
            raise InputError("dislib needs an encoder and a world or a data set; got none.")

    @property
    def label(self) -> str:
        """The budget."""
        return self.budget

    def with_digest(self) -> "DisLibConfig":
        """The same config with the digest of every file, and with the device that auto means.

        Raises:
            InputError: a file cannot be read, or an entry of data that is not NAME=PATH.
        """
        paths = [Path(path) for _, path in self._files()]
        digests = tuple(_digest(path) for path in paths)
        return replace(self, device=chosen_device(self.device), digests=digests)

    def _files(self) -> list[tuple[str, str]]:
        return named_values(self.data, "data takes NAME=PATH, such as shapes3d=3dshapes.h5")

    @property
    def preset(self) -> Budget:
        """The budget, with what was asked for in its place."""
        chosen = {
            name: getattr(self, name)
            for name in ("repetitions", "images", "epochs")
            if getattr(self, name) is not None
        }
        return replace(BUDGETS[self.budget], **chosen)

    @property
    def sources(self) -> list[tuple[str, str, str]]:
        """Name, path and digest of every world; no path for a rendered one."""
        digests = self.digests or ("",) * len(self.data)
        files = [(*pair, d) for pair, d in zip(self._files(), digests, strict=True)]
        return [(name, "", "") for name in self.worlds] + files

    def cell(
        self, source: tuple[str, str, str], *, encoder: str, task: str, repetition: int
    ) -> CellConfig:
        """The config of one cell."""
        world, data, sha256 = source
        budget = self.preset
        return CellConfig(
            world=world,
            data=data,
            sha256=sha256,
            encoder=encoder,
            task=task,
            repetition=repetition,
            size=budget.size,
            images=budget.images,
            epochs=budget.epochs,
            batch_size=budget.batch_size,
            resamples=budget.resamples,
            device=chosen_device(self.device),
        )


def _digest(path: Path) -> str:
    """Of a file, or of all files of a folder."""
    if not path.is_dir():
        return file_digest(path)
    return digest([[p.name, file_digest(p)] for p in sorted(path.iterdir()) if p.is_file()])
