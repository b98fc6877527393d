"""From images to features to linear probes: one pass over the images per network, kept as shards.

Features lie beside the runs, in `features/`, under a name that says what they are of, and
are shared by runs that read them out in other ways.
"""

import csv
import io
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from identikit.core.config import digest
from identikit.core.errors import InputError
from identikit.core.files import write_atomically
from identikit.features.shards import HEAD_FILE, Manifest, read_keys, read_manifest, read_shard
from identikit.runs.store import Draft
from identikit.runs.study import Tell
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.plan import PIXELS, UNTRAINED
from identikit.studies.extract.run import extract
from identikit.studies.paper.imagenet_x.config import ImageNetXConfig
from identikit.studies.paper.imagenet_x.linear_probes import Procedure
from identikit.studies.paper.imagenet_x.reading import (
    Features,
    Reading,
    Targets,
    class_indicators,
    counted,
    network_features,
    projected,
)
from identikit.studies.paper.imagenet_x.result import ImageNetXResult
from identikit.studies.paper.imagenet_x.splits import FEWEST
from identikit.worlds.imagenet_x import ImageNetX, load_imagenet_x


def run_imagenet_x(
    config: ImageNetXConfig, draft: Draft, *, on_progress: Tell | None = None
) -> ImageNetXResult:
    """Encode the images, read every target out of every representation.

    Raises:
        InputError: images, annotations or weights that are missing, and what would do.
    """
    annotations = load_imagenet_x(config.annotation)
    paths = config.annotated_images().paths
    numbers = {path.relative_to(config.images).as_posix(): n for n, path in paths.items()}
    folders = _encode(config, numbers, draft, on_progress)
    first = folders[config.models[0]]
    rows = torch.tensor([numbers[key] for key in read_keys(first)])
    there = annotations.only(rows)
    order = torch.searchsorted(there.number, rows)  # keys are in the order of their paths
    there = there.rows(order)
    published = load_imagenet_x("top").only(rows).rows(order)
    targets, left_out = usable(there)
    reading = Reading(
        targets=targets, published_targets=usable(published)[0], procedure=Procedure.of_run(config)
    )
    return ImageNetXResult(
        images=len(there),
        annotated=len(annotations),
        damaged=read_manifest(first).skipped,
        positives={name: int(value.sum()) for name, value in there.targets().items()},
        left_out=left_out,
        represented=reading.read(
            _features(config, folders, there), kept=draft.checkpoint, on_progress=on_progress
        ),
    )


def usable(annotations: ImageNetX) -> tuple[Targets, tuple[str, ...]]:
    """The targets that enough images show and lack, and the names of the others."""
    targets = annotations.targets()
    fewest = {n: min(int(v.sum()), int((~v).sum())) for n, v in targets.items()}
    kept = {name: value for name, value in targets.items() if fewest[name] >= FEWEST}
    if not kept:
        raise InputError(
            f"none of the targets is shown and lacked by {FEWEST} of the {len(annotations)} "
            "images. Add images."
        )
    return kept, tuple(name for name in targets if name not in kept)


def _encode(
    config: ImageNetXConfig, keys: Iterable[str], draft: Draft, on_progress: Tell | None
) -> dict[str, Path]:
    """Features of every network from the images with these keys; what is there is found."""
    table = draft.folder / "images.csv"
    sheet = io.StringIO()
    csv.writer(sheet).writerows([["key"], *([key] for key in keys)])
    write_atomically(table, sheet.getvalue().encode())
    folders = {}
    for model in config.models:
        checkpoint = config.checkpoints().get(model)
        options = ExtractConfig(
            model=model,
            images=config.images,
            follow_links=config.follow_links,
            out=Path(),
            untrained=config.untrained,
            checkpoint=checkpoint,
            seed=config.seed,
            untrained_twin=not config.untrained,
            pixels=config.pixels if model == config.models[0] else None,
            skip_corrupt=config.skip_corrupt,
            device=config.device,
            batch_size=config.batch_size,
            workers=config.workers,
        )
        known = digest([config.listing, str(options)])
        name = f"imagenet-x-{short(model)}-{known}"
        folders[model] = draft.target.parent / "features" / name
        extract(
            replace(options, out=folders[model], factors=table),
            on_progress=_Watched(on_progress),
        )
    return folders


def short(model: str) -> str:
    """The name of a network without where it comes from."""
    return model.rpartition(":")[2].rpartition("/")[2]


@dataclass(slots=True)
class _Watched:
    """Tells a watch of images how long the rest will take."""

    watch: Tell | None
    start: float = 0.0
    before: int = -1

    def __call__(self, done: int, total: int) -> None:
        if self.watch is None:
            return
        if self.before < 0:
            self.start, self.before = time.perf_counter(), done
        seconds = time.perf_counter() - self.start
        left = seconds * (total - done) / max(1, done - self.before)
        self.watch(counted(done, total, seconds=seconds, seconds_left=left))


def _features(
    config: ImageNetXConfig, folders: Mapping[str, Path], annotations: ImageNetX
) -> list[Features]:
    """All sets of features, in the order of the page."""
    found: list[Features] = []
    for model, folder in folders.items():
        name = short(model)
        if not config.untrained:
            load = partial(load_shards, folder)
            found += network_features(f"{name} trained", name, load, _head(folder))
        twin = folder if config.untrained else folder / UNTRAINED
        found.append(
            Features(
                name=f"{name} untrained",
                role="untrained",
                model=name,
                load=partial(load_shards, twin),
            )
        )
    pixels = folders[config.models[0]] / PIXELS
    return [
        *found,
        Features(name="pixels", role="pixels", load=partial(load_shards, pixels)),
        Features(
            name="projected pixels",
            role="projection",
            load=lambda: projected(load_shards(pixels), dim=config.projection, seed=config.seed),
        ),
        Features(
            name="class alone",
            role="class",
            load=lambda: class_indicators(annotations.object_class),
        ),
    ]


def load_shards(folder: Path) -> Float[Tensor, "n d"]:
    """All rows of a folder of features."""
    manifest: Manifest = read_manifest(folder)
    parts = [read_shard(folder / shard.file) for shard in manifest.shards]
    return torch.from_numpy(np.concatenate(parts))


def _head(folder: Path) -> Float[Tensor, "labels d"] | None:
    """Rows of the classifier that was trained on the features, where it is known."""
    path = folder / HEAD_FILE
    return load_file(path)["W"] if path.exists() else None
