"""From options to a folder of features: the model, its controls, one pass over the images."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import adaptive_avg_pool2d

from identikit.core.errors import InputError
from identikit.encoders.adapters import VisionModel, load_model
from identikit.features.table import as_keys, read_table
from identikit.runs.store import locked
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.device_timer import DeviceTimer
from identikit.studies.extract.one_pass import OnePass
from identikit.studies.extract.outputs import Output
from identikit.worlds.image_folder import Images, find_images

UNTRAINED, PIXELS = "untrained", "pixels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What is in the folder now, and how fast it came there."""

    folder: Path
    n: int
    """Rows."""
    dim: int
    skipped: int
    """Images that could not be read."""
    layer: str
    head: bool
    """Whether the classifier on these features is known and was learned."""
    controls: tuple[str, ...]
    """Subfolders that were asked for."""
    made: int
    """Images that were encoded now; the others had been before."""
    seconds: float
    """That it took."""
    busy: float
    """Share of that in which the device was at work."""


def extract(
    config: ExtractConfig, *, on_progress: Callable[[int, int], None] | None = None
) -> Extracted:
    """Encode the images that the folder of features lacks.

    Args:
        config: Model, layer, images and folder.
        on_progress: Told how many of how many images are done.

    Raises:
        InputError: a model, layer, image or folder that cannot be used, or a full disk. The shards
            that were written stay.
    """
    wanted = None if config.factors is None else _keys(config.factors, config.key)
    images = find_images(config.images, keys=wanted, follow_links=config.follow_links)
    model = load_model(
        config.model,
        pretrained=not config.untrained,
        checkpoint=config.checkpoint,
        seed=config.seed,
    )
    outputs = _outputs(config, model, images)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with locked(config.out):
        for output in outputs:
            output.open()
        work = OnePass(
            images=images,
            transform=model.transform,
            outputs=outputs,
            device=torch.device(config.on()),
            arithmetic=arithmetic(config),
            batch_size=config.images_at_a_time(),
            shard_size=config.shard_size,
            skip_corrupt=config.skip_corrupt,
        )
        work.refuse_full_disk()
        done = len(images) - work.left

        def on_images(more: int) -> None:
            nonlocal done
            done += more
            if on_progress is not None:
                on_progress(done, len(images))

        on_images(0)
        busy, start = DeviceTimer(torch.device(config.on())), time.perf_counter()
        work.run(workers=config.loaders(), busy=busy, on_images=on_images)
        seconds = time.perf_counter() - start
        for output in reversed(outputs):  # the features say which controls are there: last
            rows = output.finish(images, shards=work.shards, made=work.makes(output))
    main = outputs[0]
    return Extracted(
        folder=config.out,
        n=rows,
        dim=main.dim,
        skipped=len(images) - rows,
        layer=main.settings["layer"],
        head=main.head is not None,
        controls=main.controls,
        made=work.left,
        seconds=seconds,
        busy=busy.seconds() / seconds,
    )


def arithmetic(config: ExtractConfig) -> torch.dtype:
    """The type that matrix products are made in."""
    if config.precision != "auto":
        named: torch.dtype = getattr(torch, config.precision)
        return named
    if config.on() == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _keys(table: Path, column: str) -> list[str]:
    """The keys of a table of factors."""
    return as_keys(read_table(table, key=column)[column], str(table)).tolist()


def _outputs(config: ExtractConfig, model: VisionModel, images: Images) -> list[Output]:
    """The features first, then their controls."""
    common = {
        "transform": re.sub(r" at 0x[0-9a-f]+", "", repr(model.transform)),
        "images": str(config.images.resolve()),
        "images_count": len(images),
        "images_sha256": images.digest(),
        "device": config.on(),
        "batch_size": config.images_at_a_time(),
        "shard_size": config.shard_size,
    }
    controls: list[Output] = []
    if config.untrained_twin:
        twin = load_model(config.model, pretrained=False, seed=config.seed)
        controls.append(_reading(twin, config, common, folder=config.out / UNTRAINED))
    if config.pixels is not None:
        controls.append(_shrinking(model, config, common))
    names = tuple(output.folder.name for output in controls)
    return [_reading(model, config, common, folder=config.out, controls=names), *controls]


def _reading(
    model: VisionModel,
    config: ExtractConfig,
    common: Mapping[str, Any],
    *,
    folder: Path,
    controls: tuple[str, ...] = (),
) -> Output:
    """A layer of a model, which moves to the device."""
    tap = model.tap(
        config.layer, pool=config.pool, channels=config.channels, prefix=config.prefix_tokens
    )
    settings = {
        "model": model.name,
        "pretrained": model.trained and config.checkpoint is None,
        "checkpoint": str(config.checkpoint) if model.trained and config.checkpoint else None,
        "seed": None if model.trained else config.seed,
        "weights_sha256": model.digest(),
        "layer": tap.layer.name,
        "pool": config.pool,
        "channels_axis": None if tap.layout is None else tap.layout.channels,
        "prefix_tokens": None if tap.layout is None else tap.layout.prefix,
        "precision": str(arithmetic(config)).removeprefix("torch."),
        **common,
    }
    head = model.head_weights() if model.trained and tap.layer.name == model.read_by_head else None
    model.to(torch.device(config.on()))
    return Output(
        folder=folder,
        encode=tap,
        dim=tap.dim,
        dtype=config.dtype,
        settings=settings,
        head=head if head is not None and head["W"].shape[1] == tap.dim else None,
        controls=controls,
    )


def _shrinking(model: VisionModel, config: ExtractConfig, common: Mapping[str, Any]) -> Output:
    """The images as the model gets them, each pixel the mean of those that it stands for."""
    side, (channels, height, width) = config.pixels or 1, model.image_shape
    if side > min(height, width):
        raise InputError(
            f"--pixels must be at most {min(height, width)}, the side of the images that "
            f"{model.name} gets; got {side}."
        )
    return Output(
        folder=config.out / PIXELS,
        encode=lambda x: adaptive_avg_pool2d(x, side).flatten(1),
        dim=channels * side**2,
        dtype=config.dtype,
        settings={"pixels": side, **common},
    )
