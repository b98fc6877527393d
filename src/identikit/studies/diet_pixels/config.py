"""What `reproduce diet-pixels` is told, and what each of its trainings on photographs is told."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from identikit.core.choice import Range, check_ranges
from identikit.core.config import digest
from identikit.core.errors import InputError, unknown_name
from identikit.core.files import file_digest
from identikit.runs.config import StudyConfig
from identikit.runs.options import chosen_device, require_device
from identikit.studies.genealogy.config import GenealogyCellConfig
from identikit.studies.train.config import TrainConfig

CELL = "diet-pixels-cell"
"""The name under which trainings on photographs are kept."""
PHOTOGRAPHS = {"coil20": "COIL-20", "eth80": "ETH-80"}
HELD_OUT = ("views", "objects")
"""What encoder and linear probe have not seen: some views of every object, or whole objects."""
FOLDS = 4
"""Seed k holds out the k-th quarter, and again from the first on."""
WORLDS = ("sprites", "rooms")
REFERENCE = "ImageNet network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How an encoder is taught."""

    objective: str
    classes: str | None = None
    augment: str = "none"


CONDITIONS = {
    "DIET": Condition(objective="diet"),
    "DIET, augmented": Condition(objective="diet", augment="strong"),
    "supervised by category": Condition(objective="supervised", classes="category"),
    "supervised by object": Condition(objective="supervised", classes="object"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much is trained."""

    size: int
    """Pixels a side of ETH-80, whose 96 are averaged; COIL-20 has 32."""
    model: str
    steps: int
    """Of training on photographs."""
    batch_size: int
    world_steps: int
    """Of training on rendered images, 256 each."""
    seeds: int


BUDGETS = {
    "laptop": Budget(size=32, model="conv", steps=200, batch_size=64, world_steps=600, seeds=3),
    "full": Budget(
        size=96, model="timm:resnet18", steps=20_000, batch_size=256, world_steps=4_800, seeds=8
    ),
}
"""full is for a GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotographsConfig(StudyConfig):
    """One encoder trained once on photographs, or features that are given, and what is in them.

    Raises:
        InputError: an unknown name, or a value outside its range.
    """

    data: str
    """coil20 or eth80."""
    file: Path
    """The set's file."""
    sha256: str
    """Of the file, and of the features, if any are given."""
    condition: str
    """How the encoder is taught; the reference's name for features that are given."""
    held_out: str
    """views or objects."""
    seed: int = 0
    """Names the random streams, and the quarter that is held out."""
    features: Path | None = None
    """Of the same images by another model, as `identikit extract` writes them."""
    size: Annotated[int, Range(8)] = 32
    """Pixels a side of ETH-80."""
    model: str = "conv"
    """As `identikit train` names it."""
    steps: Annotated[int, Range(1)] = 200
    """Of training."""
    batch_size: Annotated[int, Range(2)] = 64
    """Images per step."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: cuda where there is a device."""

    def __post_init__(self) -> None:
        known = {
            "data": PHOTOGRAPHS,
            "condition": (*CONDITIONS, REFERENCE),
            "held_out": HELD_OUT,
        }
        for name, names in known.items():
            if getattr(self, name) not in names:
                raise unknown_name(name, getattr(self, name), names)
        check_ranges(self, of="diet-pixels ")

    @property
    def label(self) -> str:
        """Data, condition, what is held out, and seed."""
        words = f"{self.data} {self.condition} {self.held_out} s{self.seed}".replace(",", "")
        return words.replace(" ", "-")

    @property
    def training(self) -> TrainConfig:
        """How `identikit train` would be told the same."""
        condition = CONDITIONS[self.condition]
        return TrainConfig(
            images=self.file,
            objective=condition.objective,
            augment=condition.augment,
            model=self.model,
            steps=self.steps,
            batch_size=self.batch_size,
            seed=self.seed,
            device=self.device,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DietPixelsConfig(StudyConfig):
    """Which images, and how much training.

    Raises:
        InputError: an unknown name, a value outside its range, or nothing to train on.
    """

    budget: str = "laptop"
    """laptop: images of 32 pixels, a small convolutional network, 3 seeds; full: ETH-80 at 96
    pixels, ResNet-18, long training and 8 seeds, for a GPU."""
    worlds: tuple[str, ...] = WORLDS
    """Rendered worlds: sprites, rooms."""
    coil20: Path | None = None
    """The COIL-20 file (coil20.mat, with X and Y); it does not come with identikit."""
    eth80: Path | None = None
    """The .zip of ETH-80's images with factors.csv; it does not come with identikit."""
    reference: Path | None = None
    """Features of ETH-80's images by a network that was taught ImageNet, to stand beside: a folder
    that `identikit extract` made."""
    seeds: Annotated[int | None, Range(1)] = None
    """Use seeds 0 to SEEDS - 1; by default as many as the budget has."""
    steps: Annotated[int | None, Range(1)] = None
    """Of every training; by default the budget's."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Of training on photographs; auto: cuda where there is a device."""
    digests: Annotated[tuple[str, ...], tyro.conf.Suppress] = ()
    """SHA-256 of each file and of the features, so that changed ones are another run; filled in by
    `with_digest`."""

    def __post_init__(self) -> None:
        if self.budget not in BUDGETS:
            raise unknown_name("budget", self.budget, BUDGETS)
        for name in self.worlds:
            if name not in WORLDS:
                raise unknown_name("world", name, WORLDS)
        require_device(self.device)
        check_ranges(self, of="diet-pixels ")
        if not (self.worlds or self.files):
            raise InputError(
                "nothing to train on: give --worlds sprites, --coil20 coil20.mat or --eth80 "
                "eth80.zip."
            )
        if self.reference is not None and self.eth80 is None:
            raise InputError("--reference has features of ETH-80's images; give --eth80 FILE too.")

    @property
    def label(self) -> str:
        """The budget."""
        return self.budget

    @property
    def files(self) -> dict[str, Path]:
        """The files that are given, by set."""
        given = {name: getattr(self, name) for name in PHOTOGRAPHS}
        return {name: path for name, path in given.items() if path is not None}

    @property
    def preset(self) -> Budget:
        """The budget, with what was asked for in its place."""
        budget = BUDGETS[self.budget]
        return replace(
            budget,
            steps=self.steps or budget.steps,
            world_steps=self.steps or budget.world_steps,
            seeds=self.seeds or budget.seeds,
        )

    def with_digest(self) -> "DietPixelsConfig":
        """The same config with the digests, and with the device that auto means.

        Raises:
            InputError: a file that cannot be read.
        """
        paths = [*self.files.values(), *_files_of(self.reference)]
        digests = tuple(file_digest(path) for path in paths)
        return replace(self, digests=digests, device=chosen_device(self.device))

    @property
    def world_cells(self) -> tuple[GenealogyCellConfig, ...]:
        """Each objective on each world; InfoNCE also on the pairs that its theorem speaks of."""
        pairs = (("", "supervised"), ("", "diet"), ("", "infonce"), ("-pairs", "infonce"))
        return tuple(
            GenealogyCellConfig(
                world=f"{world}{ending}",
                objective=objective,
                steps=self.preset.world_steps,
                seed=seed,
            )
            for world in self.worlds
            for ending, objective in pairs
            for seed in range(self.preset.seeds)
        )

    @property
    def photograph_cells(self) -> tuple[PhotographsConfig, ...]:
        """Each condition on each set, with views and with objects held out."""
        budget = self.preset
        digests = self.digests or ("",) * len(self.files)
        return tuple(
            PhotographsConfig(
                data=data,
                file=file,
                sha256=digest([sha256, self.digests[len(self.files) :]])
                if condition == REFERENCE
                else sha256,
                condition=condition,
                held_out=held_out,
                seed=seed,
                features=self.reference if condition == REFERENCE else None,
                size=budget.size,
                model=budget.model,
                steps=budget.steps,
                batch_size=budget.batch_size,
                device=chosen_device(self.device),
            )
            for (data, file), sha256 in zip(self.files.items(), digests, strict=False)
            for held_out in HELD_OUT
            for condition in self._conditions(data)
            for seed in range(budget.seeds)
        )

    def _conditions(self, data: str) -> list[str]:
        """Those of a set: COIL-20's objects are of no category."""
        some = [n for n, c in CONDITIONS.items() if data == "eth80" or c.classes != "category"]
        return some + [REFERENCE] * (data == "eth80" and self.reference is not None)


def _files_of(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder of features. Make it: identikit extract MODEL --images "
            f"FOLDER --out {folder}."
        )
    return [path for path in sorted(folder.iterdir()) if path.is_file()]
