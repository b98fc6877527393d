"""From options to folders of features: one pass over the samples for all that is missing."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from identikit.core.files import locked
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.device_timer import DeviceTimer
from identikit.studies.extract.layer_folders import open_layers
from identikit.studies.extract.one_pass import OnePass
from identikit.studies.extract.plan import Planned, arithmetic, planned
from identikit.studies.extract.samples import find_samples
from identikit.worlds.batches import Samples, sample_batches

_CALIBRATION, _CALIBRATION_BATCH = 256, 32
"""Samples that batch norms get their statistics from, and how many at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedLayer:
    """The features of one layer."""

    name: str
    index: int
    """Its place among the model's layers, in the order of computation."""
    folder: Path
    dim: int
    head: bool
    """Whether the classifier on these features is known and was learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one pass is going to make, and what it takes."""

    layers: int
    left_out: tuple[str, ...]
    """Layers that a pattern meant and that cannot be read with this pooling."""
    dims: int
    """Columns of all outputs together, controls among them."""
    samples: int
    """That are still to be encoded."""
    disk_bytes: int
    memory_bytes: int
    """For the features of a shard, beside what the model itself needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What is in the folder now, and how fast it came there."""

    folder: Path
    n: int
    """Rows."""
    layers: tuple[ExtractedLayer, ...]
    """In the order of computation."""
    left_out: tuple[str, ...]
    """Layers that a pattern meant and that cannot be read with this pooling."""
    skipped: int
    """Samples that could not be read."""
    passed_over: dict[str, int]
    """How many files of the folder are not named like images, by their ending."""
    controls: tuple[str, ...]
    """Other representations of the same rows that were asked for."""
    calibrated: tuple[str, ...]
    """Networks at random whose batch norms were given statistics of the samples."""
    remarks: tuple[str, ...]
    """What in the samples may not be meant."""
    made: int
    """Samples that were encoded now; the others had been before."""
    seconds: float
    """That it took."""
    busy: float
    """Share of that in which the device was at work."""


def extract(
    config: ExtractConfig,
    *,
    on_needs: Callable[[Needs], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Extracted:
    """Encode the samples that the folders of features lack, all layers in one pass.

    Args:
        config: Model, layers, samples and folder.
        on_needs: Told before the start what is going to be made and what it takes.
        on_progress: Told how many of how many samples are done.

    Raises:
        InputError: a model, layer, sample or folder that cannot be used, too little memory or
            disk. The shards that were written stay.
    """
    samples = find_samples(config)
    plan, device = planned(config, samples), torch.device(config.on())
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with locked(config.out):
        if config.several:
            open_layers(config.out, plan.layers)
        for output in plan.outputs:
            output.open()
        work = OnePass(
            samples=samples,
            transform=plan.model.transform,
            outputs=plan.outputs,
            device=device,
            arithmetic=arithmetic(config),
            batch_size=config.samples_at_a_time(),
            shard_size=config.shard_size,
            skip_corrupt=config.skip_corrupt,
        )
        if on_needs is not None:
            on_needs(_needs(plan, work))
        work.refuse_too_large()
        done = len(samples) - work.left

        def on_samples(more: int) -> None:
            nonlocal done
            done += more
            if on_progress is not None:
                on_progress(done, len(samples))

        on_samples(0)
        busy, start = DeviceTimer(device), time.perf_counter()
        for network in plan.networks.values():
            if network.calibrates and any(
                output.reader is network and work.makes(output) for output in plan.outputs
            ):
                network.calibrate(_for_norms(config, samples, plan), device)
        work.run(workers=config.loaders(), busy=busy, on_samples=on_samples)
        seconds = time.perf_counter() - start
        for output in reversed(plan.outputs):  # features say which controls are there: last
            rows = output.finish(samples, shards=work.shards, made=work.makes(output))
    first = plan.layers[0]
    return Extracted(
        folder=config.out,
        n=rows,
        layers=tuple(
            ExtractedLayer(
                name=output.settings["layer"],
                index=output.settings["layer_index"],
                folder=output.folder,
                dim=output.dim,
                head=output.head is not None,
            )
            for output in plan.layers
        ),
        left_out=plan.left_out,
        skipped=len(samples) - rows,
        passed_over=samples.passed_over,
        controls=(*first.controls, *first.shared),
        calibrated=tuple(name for name, network in plan.networks.items() if network.calibrates),
        remarks=plan.remarks,
        made=work.left,
        seconds=seconds,
        busy=busy.seconds() / seconds,
    )


def _needs(plan: Planned, work: OnePass) -> Needs:
    return Needs(
        layers=len(plan.layers),
        left_out=plan.left_out,
        dims=sum(output.dim for output in plan.outputs),
        samples=work.left,
        disk_bytes=work.bytes_on_disk,
        memory_bytes=work.bytes_in_memory,
    )


def _for_norms(config: ExtractConfig, samples: Samples, plan: Planned) -> Iterator[Tensor]:
    """Samples from all over the keys in batches of at least two, without the unreadable."""
    count = min(_CALIBRATION, len(samples))
    rows = [k * len(samples) // count for k in range(count)]
    batches = -(-count // _CALIBRATION_BATCH)
    for batch in sample_batches(
        samples,
        [rows[k::batches] for k in range(batches)],
        transform=plan.model.transform,
        workers=config.loaders(),
    ):
        if len(batch.x) > 1:
            yield batch.x
