"""The images of a training run: decoded once, with their factors and classes."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factors
from identikit.core.finding import listed
from identikit.core.randomness import stream
from identikit.encoders.adapters import ShortSide
from identikit.features.columns import Column, as_column
from identikit.features.inputs import as_factors
from identikit.features.table import as_keys, match, read_table
from identikit.studies.extract.samples import Items, find_items
from identikit.studies.paper.dislib.sources import image_grid
from identikit.studies.train.config import TrainConfig
from identikit.training.checkpoint import FILE as STATE_FILE
from identikit.worlds.batches import sample_batches
from identikit.worlds.grids.grid import ImageGrid
from identikit.worlds.image_folder import Images, find_images
from identikit.worlds.pixels import PixelList, as_pixels, read_list, read_pixels, write_pixels

SIDE = 64
"""Pixels a side of images from files, if nothing else is asked for."""
_BLOCK = 256
"""Images that are decoded at a time."""
_HELD_OUT = 0.25
"""Share of the values of a column that is held out."""
_NAMED = 5
"""Images that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingImages:
    """Images in one order, and what is known of each."""

    pixels: UInt8[Tensor, "n c side side"]
    keys: tuple[str, ...]
    classes: Int[Tensor, " n"] | None
    """Of each image, for a supervised objective."""
    factors: Factors | None
    groups: Any
    """What images are held out together by, a label each; None if each is by itself."""
    unreadable: dict[str, str]
    """Why, by key."""
    trained: Bool[Tensor, " n"]
    """Which are trained on; the others are held out."""

    def __len__(self) -> int:
        return len(self.pixels)

    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel in [0, 1], over some thousand images."""
        some = self.pixels[:: max(1, len(self) // 4096)].double() / 255
        std = some.std((0, 2, 3)).clamp(min=1 / 255)
        return tuple(some.mean((0, 2, 3)).tolist()), tuple(std.tolist())

    def copies(self) -> Int[Tensor, " n"]:
        """For each image the number of the first that has the same pixels."""
        first: dict[bytes, int] = {}
        digests = (hashlib.blake2b(image.numpy().tobytes()).digest() for image in self.pixels)
        return torch.tensor([first.setdefault(found, k) for k, found in enumerate(digests)])


def load_images(
    config: TrainConfig, folder: Path, *, on_decoded: Callable[[int, int], None] | None = None
) -> TrainingImages:
    """The images that the options ask for; decoded into a folder unless they lie there already.

    Args:
        config: Which images.
        folder: Of the run's checkpoint.
        on_decoded: Told how many of how many are decoded.

    Raises:
        InputError: images or a table that cannot be used, or others than the folder was begun with.
    """
    if config.world is not None:
        return _of_grid(config, image_grid(config.world, str(config.file or "")), folder)
    table = None if config.factors is None else read_table(config.factors, key=config.key)
    wanted = None
    if table is not None:
        wanted = as_keys(table.columns[config.key], str(config.factors)).tolist()
    samples: Images | Items
    if config.images is not None:
        samples = find_images(config.images, keys=wanted, follow_links=config.follow_links)
    else:
        samples = find_items(config.data or "", keys=wanted)
    rows = _limited(config, len(samples))
    unreadable: dict[str, str] = {}

    def blocks() -> Iterator[Tensor]:
        parts = [part.tolist() for part in rows.split(_BLOCK)]
        side = ShortSide(config.size or SIDE)
        found = sample_batches(samples, parts, transform=side, workers=config.workers)
        for number, batch in enumerate(found):
            for index, why in batch.unreadable.items():
                unreadable[samples.keys[index]] = why
            if len(batch.x):
                yield as_pixels(batch.x, config.size)
            if on_decoded is not None:
                on_decoded(min((number + 1) * _BLOCK, len(rows)), len(rows))

    keys = tuple(samples.keys[row] for row in rows.tolist())
    made_of = samples.settings() | {"size": config.size, "limit": config.limit, "seed": config.seed}
    found = _decoded(folder, blocks(), keys=keys, made_of=made_of, unreadable=unreadable)
    if found.unreadable and not config.skip_corrupt:
        named = [f"{key} ({why})" for key, why in found.unreadable.items()]
        raise InputError(
            f"{len(named):,} of {len(keys):,} images cannot be read: {listed(named, most=_NAMED)}. "
            "Mend or remove them, or go on without them by --skip-corrupt."
        )
    columns: dict[str, Column] = {}
    if table is not None and config.factors is not None:
        place = match(
            as_column(found.keys),
            table.columns[config.key],
            path=config.factors,
            fewer_samples=True,
        )
        columns = {name: c.take(place.rows) for name, c in table.columns.items()}
    together = {
        name: _column(config, columns, name).values
        for name in (config.groups, config.hold_out)
        if name is not None
    }
    apart = {config.key, *together} - {*config.only, config.classes}
    factors = _factors(config, {name: c for name, c in columns.items() if name not in apart})
    images = TrainingImages(
        pixels=_enough(read_pixels(folder, found)),
        keys=found.keys,
        classes=None,
        factors=factors,
        groups=together.get(config.groups or config.hold_out or ""),
        unreadable=found.unreadable,
        trained=_trained(config, together, len(found.keys)),
    )
    if config.objective != "supervised":
        return images
    return replace(images, classes=_classes(_class_names(config, samples, found, columns)))


def _of_grid(config: TrainConfig, grid: ImageGrid, folder: Path) -> TrainingImages:
    rows = _limited(config, grid.grid.size)
    blocks = (as_pixels(grid.images(part), config.size) for part in rows.split(_BLOCK))
    made_of = {"world": config.world, "size": config.size, "rows": len(rows), "seed": config.seed}
    keys = tuple(map(str, rows.tolist()))
    found = _decoded(folder, blocks, keys=keys, made_of=made_of, unreadable={})
    known = grid.grid.factors(rows)
    classes = None
    if config.objective == "supervised":
        if config.classes is None:
            raise InputError(
                f"--objective supervised needs --classes, a factor of {config.world}: "
                f"{', '.join(known)}."
            )
        classes = grid.grid.indices(rows)[:, grid.grid.position(config.classes)]
    together = {
        name: known[name].values.numpy()
        for name in (config.groups, config.hold_out)
        if name is not None
    }
    return TrainingImages(
        pixels=_enough(read_pixels(folder, found)),
        keys=found.keys,
        classes=classes,
        factors=Factors([known[name] for name in config.only or known]),
        groups=together.get(config.groups or config.hold_out or ""),
        unreadable={},
        trained=_trained(config, together, len(rows)),
    )


def _trained(config: TrainConfig, together: dict[str, Any], n: int) -> Bool[Tensor, " n"]:
    """All, but for those of some values of the column that is held out."""
    if config.hold_out is None:
        return torch.ones(n, dtype=torch.bool)
    values, number = np.unique(together[config.hold_out].astype(str), return_inverse=True)
    count = round(_HELD_OUT * len(values))
    if not 0 < count < len(values) - 1:
        raise InputError(
            f"--hold-out {config.hold_out} has {len(values)} values; a quarter of them is to be "
            "held out, so give a column with four or more."
        )
    drawn = torch.randperm(len(values), generator=stream(config.seed, "held out"))[:count]
    return ~torch.isin(torch.from_numpy(number), drawn)


def _limited(config: TrainConfig, n: int) -> Int[Tensor, " rows"]:
    """Which of n, in their order."""
    if config.limit is None or config.limit >= n:
        return torch.arange(n)
    return torch.randperm(n, generator=stream(config.seed, "limit"))[: config.limit].sort()[0]


def _decoded(
    folder: Path,
    blocks: Iterator[Tensor],
    *,
    keys: tuple[str, ...],
    made_of: dict[str, Any],
    unreadable: dict[str, str],
) -> PixelList:
    """What lies in the folder, if it is of the same images; else it is made.

    Raises:
        InputError: training has begun on others.
    """
    there = read_list(folder)
    if there is not None and there.made_of == made_of:
        return there
    if there is not None and (folder / STATE_FILE).exists():
        n, before = len(keys), len(there.keys) + len(there.unreadable)
        what = f"{n:,} images now, {before:,} then" if n != before else f"{n:,}, but others"
        raise InputError(
            f"training in {folder} was begun on other images ({what}); the head has a row for each "
            "of those. Give --restart to begin anew, or --out another folder."
        )
    return write_pixels(folder, blocks, keys=keys, made_of=made_of, unreadable=unreadable)


def _enough(pixels: Tensor) -> Tensor:
    if len(pixels) < 2:
        raise InputError(
            f"there is {len(pixels)} image; nothing tells one from another then. Give two or more."
        )
    return pixels


def _column(config: TrainConfig, columns: dict[str, Column], name: str) -> Column:
    if name not in columns:
        raise InputError(f"{config.factors} has no column {name!r}; it has {', '.join(columns)}.")
    return columns[name]


def _factors(config: TrainConfig, columns: dict[str, Column]) -> Factors | None:
    if config.factors is None:
        return None
    chosen = {name: _column(config, columns, name) for name in config.only or columns}
    kinds = {
        name: kind
        for name, kind in config.kinds_by_name().items()
        if name in chosen or name not in columns
    }
    return as_factors(chosen, kinds=kinds)


def _class_names(
    config: TrainConfig, samples: Images | Items, found: PixelList, columns: dict[str, Column]
) -> list[str]:
    """The class of each image, by its name."""
    if config.classes is not None:
        column = _column(config, columns, config.classes).require(f"column {config.classes!r}")
        return [str(value) for value in column.values.tolist()]
    if isinstance(samples, Items):
        place = dict(zip(samples.keys, samples.places, strict=True))
        items = [samples.data[place[key]] for key in found.keys]
        if not all(isinstance(item, tuple | list) and len(item) > 1 for item in items):
            raise InputError(
                f"the items of {samples.name} have no class after the image. Give --factors TABLE "
                "and --classes COLUMN."
            )
        return [str(int(item[1])) for item in items]
    loose = [key for key in found.keys if "/" not in key]
    if loose:
        raise InputError(
            f"{loose[0]} lies in no folder that could name its class ({len(loose):,} such images). "
            "Sort images into a folder for each class, or give --factors TABLE and --classes "
            "COLUMN; diet needs no classes."
        )
    return [key.rpartition("/")[0] for key in found.keys]


def _classes(names: list[str]) -> Int[Tensor, " n"]:
    known = sorted(set(names))
    if len(known) < 2:
        raise InputError(
            f"all {len(names):,} images are of one class ({known[0]}); a supervised objective "
            "needs two or more. diet needs none."
        )
    if len(known) == len(names):
        raise InputError(
            f"every image has a class of its own, such as {known[0]!r}; that is --objective diet."
        )
    number = {name: k for k, name in enumerate(known)}
    return torch.tensor([number[name] for name in names])
