"""From images to a trained encoder, its head, and what is linearly in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from safetensors.torch import save_file
from torch import Tensor

from identikit.core.errors import InputError, in_words
from identikit.core.factors import Kind
from identikit.core.randomness import stream
from identikit.core.ranks import ranks, told
from identikit.core.threads import processor_threads
from identikit.encoders.adapters import (
    ImageEncoder,
    ImageNetwork,
    calibrate,
    named_function,
    own_code,
    write_trained,
)
from identikit.encoders.synced_norm import sync_norms
from identikit.features.paths import OF_RUN
from identikit.features.shards import (
    HEAD_FILE,
    Manifest,
    describe_shard,
    shard_file,
    write_keys,
    write_manifest,
    write_shard,
)
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import Head, SoftmaxHead
from identikit.objectives.info_nce import InfoNCE
from identikit.objectives.objective import Objective
from identikit.objectives.sharded_head import ShardedHead
from identikit.probing.recovery import Recovery
from identikit.probing.score import score
from identikit.runs.provenance import versions
from identikit.runs.study import Arrays, Context, Tell
from identikit.statistics.groups import (
    LEAST,
    NUMBERS,
    adjusted_rand,
    between_share,
    find_groups,
)
from identikit.studies.train.batches import ImageBatches
from identikit.studies.train.config import AUGMENTATIONS, TrainConfig
from identikit.studies.train.images import TrainingImages, load_images
from identikit.studies.train.live import (
    DecodingProgress,
    LiveProbe,
    TrainingProgress,
    some_rows,
    taken,
)
from identikit.studies.train.loss_floor import loss_floor
from identikit.studies.train.result import RowGroups, TrainResult
from identikit.theory.coverage import head_row_space
from identikit.training.fit import Fit, Progress, fit_network
from identikit.worlds.augmentations import Augmentation

RECORDS = 20
"""Probes over a run."""
SCORED = 16_384
"""Images, and rows of the head, that are scored at the end, at most."""
GROUPED = 4096
"""Rows of the head that are put into groups, at most."""
_PIXELS_SIDE = 16
"""Of the pixels that are a control."""
_BLOCK = 256
_SHARD = 65_536


def compute(config: TrainConfig, context: Context) -> tuple[TrainResult, Arrays]:
    """Train, keep the encoder, and ask what is in it.

    Raises:
        InputError: images, a model or a table that cannot be used, or too little memory.
        TrainingError: the loss is not finite.
    """
    folder = context.draft.checkpoint
    with processor_threads(config.threads), _deterministic(config.deterministic):
        images = load_images(
            config,
            folder,
            on_decoded=lambda done, total: context.tell(DecodingProgress(done=done, total=total)),
        )
        told(folder.absolute())
        run = Training(config, images)
        with _words_for_memory(run):
            fitted = run.fit(folder, context.tell)
            if fitted.status == "interrupted":
                return run.result(fitted, None), {}
            return run.result(fitted, run.keep(context.draft.folder, folder)), {}


def follow(config: TrainConfig) -> None:
    """Train beside rank 0, which computes the run, until it says that there is no more.

    Raises:
        InputError: as `compute`.
    """
    while (folder := told(None)) is not None:
        with processor_threads(config.threads), _deterministic(config.deterministic):
            run = Training(config, load_images(config, folder))
            with _words_for_memory(run):
                run.fit(folder)


class Training:
    """Encoder and objective on some images."""

    def __init__(self, config: TrainConfig, images: TrainingImages) -> None:
        self.config, self.images = config, images
        self.device = torch.device(config.on())
        mean, std = images.moments()
        _, channels, side, _ = images.pixels.shape
        self.places = images.trained.nonzero()[:, 0]
        self.label = torch.arange(len(self.places))
        if images.classes is not None:  # of those that are trained on, numbered anew
            self.label = images.classes[self.places].unique(return_inverse=True)[1]
        self.labels = None if config.objective == "infonce" else int(self.label.max()) + 1
        self.network = ImageNetwork(
            model=config.model,
            shape=(channels, side, side),
            dim=config.dim,
            seed=config.seed,
            mean=mean,
            std=std,
            labels=self.labels,
        )
        self.encoder = self.network.build()
        self.encoder.mixed = config.precision == "bfloat16"
        if config.channels_last:
            self.encoder.layout = torch.channels_last
            self.encoder.to(memory_format=torch.channels_last)
        if config.compile:
            self.encoder.network.compile()
        self.objective = self._objective()
        self.rows: Tensor | None = None
        """Of the head, on the CPU, after training."""

    def _objective(self) -> Objective:
        config = self.config
        if ranks() > 1:
            if config.batch_size % ranks():
                raise InputError(
                    f"batch_size must divide into {ranks()} ranks; got {config.batch_size}."
                )
            sync_norms(self.encoder)
        if self.labels is None:
            return InfoNCE(temperature=config.temperature)
        head = HeadConfig(negatives=config.negatives, group=config.batch_size)
        options: dict[str, Any] = {
            "generator": stream(config.seed, "head"),
            "label_smoothing": config.smoothing(),
        }
        if ranks() > 1:
            return ShardedHead(head, self.labels, self.encoder.dim, **options)
        return SoftmaxHead(head, self.labels, self.encoder.dim, sparse=True, **options)

    def fit(self, folder: Path, on_progress: Tell | None = None) -> Fit:
        """Train, from a checkpoint on if there is one in the folder."""
        config, images = self.config, self.images
        training = config.training(len(self.places))
        batches = ImageBatches(
            pixels=images.pixels,
            places=self.places,
            label=self.label,
            augment=_augmentation(config, images.pixels.shape[-1]),
            seed=config.seed,
            batch_size=config.batch_size,
            views=config.views,
            steps=training.steps,
            workers=config.workers,
            pin=self.device.type == "cuda",
        )
        probe = None
        if images.factors is not None:
            probe = LiveProbe(images.factors, images.groups, images.trained)

        def tell(progress: Progress) -> None:
            if on_progress is not None:
                on_progress(TrainingProgress(fit=progress, batch_size=config.batch_size))

        fitted = fit_network(
            self.encoder,
            self.objective,
            draw=batches,
            config=training,
            seed=config.seed,
            device=self.device,
            evaluate=None if probe is None else lambda: probe(self.features),
            evaluate_every=max(1, training.steps // RECORDS),
            on_progress=tell,
            checkpoint=folder,
        )
        if isinstance(self.objective, Head):
            self.rows = self.objective.rows().detach().cpu()
        return fitted

    def features(self, rows: Int[Tensor, " rows"]) -> Float[Tensor, "rows d_h"]:
        """H of some images as they are, in evaluation mode."""
        return _encoded(self.encoder, self.objective, self.images, rows)

    def every_feature(self) -> dict[str, Tensor]:
        """H of all images, and of its controls: the encoder before its first step, the pixels."""
        twin = self.network.build().eval().to(self.device)
        some = some_rows(len(self.images), _BLOCK)
        calibrate(twin, twin, iter([self.images.pixels[some].to(self.device)]))
        every = torch.arange(len(self.images))
        return {
            "h": self.features(every),
            "untrained": _encoded(twin, self.objective, self.images, every),
            "pixels": pixels_of(self.images.pixels),
        }

    def keep(self, folder: Path, checkpoint: Path) -> Recovery | None:
        """Write model and features beside their controls; what is linearly in them."""
        write_trained(folder, self.network, self.encoder, self.rows)
        features = self.every_feature()
        settings = {
            "model": self.config.model,
            "layer": "h",
            "objective": self.config.objective,
            "images_sha256": self.config.sha256,
        }
        _write_features(folder / OF_RUN, features, self.images.keys, self.rows, settings)
        shutil.rmtree(checkpoint, ignore_errors=True)  # pixels and an optimiser's state are large
        if self.images.factors is None:
            return None
        rows = some_rows(len(self.images), SCORED)
        groups = self.images.groups
        head = self.rows
        return score(
            features["h"][rows],
            taken(self.images.factors, rows),
            head=None if head is None else head[some_rows(len(head), SCORED)],
            controls={name: features[name][rows] for name in ("pixels", "untrained")},
            groups=None if groups is None else groups[rows.numpy()],
            train_mask=None if bool(self.images.trained.all()) else self.images.trained[rows],
            seed=self.config.seed,
        )

    def result(self, fitted: Fit, recovery: Recovery | None) -> TrainResult:
        """What came out; less of it where training was interrupted."""
        config, rows = self.config, self.rows
        done = fitted.status == "completed"
        training = max(1e-9, fitted.seconds - fitted.evaluation_seconds)
        diet = config.objective == "diet" and done
        spread = self._spreads(rows) if diet else {}
        floor = None
        if self.labels is not None and config.negatives is None:
            copies, smoothing = self.images.copies()[self.places], config.smoothing()
            floor = loss_floor(self.label, copies, labels=self.labels, smoothing=smoothing)
        return TrainResult(
            status=fitted.status,
            images=len(self.places),
            labels=self.labels,
            dim=self.encoder.dim,
            steps=fitted.steps,
            seconds=fitted.seconds,
            images_per_second=fitted.steps * config.batch_size / training,
            waited=fitted.waiting_seconds / training,
            workers=config.workers,
            loss=fitted.history[-1]["loss"] if fitted.history else None,
            floor=floor,
            augmented=config.augment != "none",
            covered=None
            if rows is None
            else head_row_space(rows[some_rows(len(rows), SCORED)]).rank,
            class_spread={name: between for name, (between, _) in spread.items()},
            chance_spread={name: chance for name, (_, chance) in spread.items()},
            row_groups=self._groups(rows) if diet else None,
            recovery=recovery,
            history=tuple(fitted.history),
            unreadable=self.images.unreadable,
            notes=self._notes(),
        )

    def _classes(self) -> dict[str, Tensor]:
        """Of the images that are trained on, by the name of the factor."""
        return {
            name: factor.values[self.places].long()
            for name, factor in (self.images.factors or {}).items()
            if factor.kind in (Kind.CATEGORICAL, Kind.BINARY) and factor.missing is None
        }

    def _groups(self, rows: Tensor | None) -> RowGroups | None:
        """What groups the rows fall into, and how like the classes these are."""
        if rows is None or len(rows) < LEAST * min(NUMBERS):
            return None
        some = some_rows(len(rows), GROUPED)
        found = find_groups(rows[some], generator=stream(self.config.seed, "groups of rows"))
        between, _ = between_share(rows[some], found.group)
        return RowGroups(
            count=found.count,
            clarity=found.clarity,
            between=between,
            likeness={
                name: adjusted_rand(found.group, classes[some])
                for name, classes in self._classes().items()
            },
        )

    def _spreads(self, rows: Tensor | None) -> dict[str, tuple[float, float]]:
        """Share of the variance of rows between the classes of each factor, and by chance."""
        if rows is None:
            return {}
        return {name: between_share(rows, group) for name, group in self._classes().items()}

    def _notes(self) -> tuple[str, ...]:
        n, notes = len(self.images), []
        if n > SCORED and self.images.factors is not None:
            notes.append(f"scores are of {SCORED:,} of the {n:,} images, spread evenly")
        if bool(self.images.trained.all()):
            groups = self.config.groups
            apart = "" if groups is None else f", of other values of {groups}"
            notes.append(
                "scores are of images that were trained on, without augmentation; the linear "
                f"probe itself is scored on images that it was not fitted on{apart}"
            )
        else:
            notes.append(
                f"scores are of {n - len(self.places):,} images that nothing was trained on, of "
                f"other values of {self.config.hold_out} than the {len(self.places):,} that the "
                "encoder and the linear probe were trained on"
            )
        return tuple(notes)

    @property
    def head_bytes(self) -> int:
        """Of rows, gradients and moments."""
        return (self.labels or 0) * self.encoder.dim * 4 * 4


@torch.no_grad()
def _encoded(
    encoder: ImageEncoder,
    objective: Objective,
    images: TrainingImages,
    rows: Int[Tensor, " rows"],
) -> Float[Tensor, "rows d_h"]:
    device = encoder.mean.device
    blocks = (images.pixels[part].to(device) for part in rows.split(_BLOCK))
    return torch.cat([objective.features(encoder(x)).float().cpu() for x in blocks])


def pixels_of(images: UInt8[Tensor, "n c side side"]) -> Float[Tensor, "n pixels"]:
    """The control of pixels, averaged to at most 16 a side."""
    blocks = (part.float() / 255 for part in images.split(_BLOCK))
    shrink = torch.nn.functional.adaptive_avg_pool2d
    side = min(_PIXELS_SIDE, images.shape[-1])
    return torch.cat([shrink(x, side).flatten(1) for x in blocks])


def _write_features(
    folder: Path,
    features: dict[str, Tensor],
    keys: tuple[str, ...],
    head: Tensor | None,
    settings: dict[str, Any],
) -> None:
    """As `identikit extract` would: h, and its controls in folders of their own."""
    controls = {name: name for name in features if name != "h"}
    for name, h in features.items():
        own = folder if name == "h" else folder / name
        own.mkdir(parents=True, exist_ok=True)
        for number, part in enumerate(h.split(_SHARD)):
            write_shard(own / shard_file(number), part.numpy())
        write_keys(own, keys)
        if name == "h" and head is not None:
            save_file({"W": head.contiguous()}, own / HEAD_FILE)
        shards = -(-len(h) // _SHARD)
        manifest = Manifest(
            finished=True,
            n=len(h),
            dim=h.shape[1],
            dtype="float32",
            shards=tuple(describe_shard(own / shard_file(k))[0] for k in range(shards)),
            controls=controls if name == "h" else {},
            head=HEAD_FILE if name == "h" and head is not None else None,
            settings=settings,
            versions=versions(),
        )
        write_manifest(own, manifest)


def _augmentation(config: TrainConfig, side: int) -> Augmentation:
    if config.augment in AUGMENTATIONS:
        made: Augmentation = AUGMENTATIONS[config.augment].make(config, side)
        return made
    module, _, function = config.augment.partition(":")
    found = named_function(module, function)
    with own_code(config.augment):
        own: Augmentation = found(side)
    if not callable(own):
        raise InputError(
            f"{config.augment} should return a function from pixels to pixels; it returned "
            f"{type(own).__name__}."
        )
    return own


@contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    """Only kernels that give the same bits every time, for a while."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(wanted or before)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def _words_for_memory(run: Training) -> Iterator[None]:
    """Say what took the memory, and what would take less."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate" not in str(error).lower():
            raise
        config = run.config
        raise InputError(
            f"there is too little memory: {in_words(error)}. The head takes "
            f"{run.head_bytes / 1e9:.2g} GB with gradient and moments ({run.labels or 0:,} x "
            f"{run.encoder.dim}), a step the maps of {config.batch_size} images of "
            f"{run.network.shape[1]} pixels a side. Give a smaller --batch-size or --size, "
            "--optimizer sgd, or --negatives 4096 for many labels."
        ) from error
