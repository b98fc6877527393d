"""Train x -> h with cross-entropy on COIL-20, and read azimuth and object from held-out arcs.

Labels are objects, or single images (DIET, arXiv:2410.21869). Every azimuth is held out
once, by encoders that have not seen it, so each score is over all 72 azimuths of each
object. Controls: pixels, a random projection of them to d_h dimensions, the encoder before
training, and a random subspace of h as large as the covered one.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from identikit.core.randomness import stream
from identikit.core.threads import processor_threads
from identikit.encoders.cnn import CNN
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.studies.paper.coil20.config import Coil20Config, Objective
from identikit.studies.paper.coil20.linear_probes import (
    Parts,
    ProbePredictions,
    symmetry_prediction,
)
from identikit.studies.paper.coil20.result import Coil20Measured, Training
from identikit.theory.coverage import head_row_space
from identikit.training import checkpoint as checkpoints
from identikit.training.fit import Progress, fit_network
from identikit.worlds.coil20 import Coil20, load_coil20
from identikit.worlds.constants import AZIMUTHS, OBJECTS

PIXELS = "pixels"
EVALUATE_EVERY = 50
"""Steps between two points of a training curve."""

Features = dict[str, Tensor]
"""Name to (1440, d)."""


def run_coil20(
    config: Coil20Config,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
) -> Coil20Measured:
    """Train every encoder, read it out beside its controls, and score.

    Args:
        config: Decides every number.
        on_progress: Told how training stands.
        checkpoint: Folder to save to and to go on from if it holds a state.

    Raises:
        InputError: data that cannot be read, or training that cannot go on.
        KeyboardInterrupt: after Ctrl-C.
    """
    start = time.perf_counter()
    data = load_coil20(Path(config.data))
    with processor_threads(config.threads):
        return _run(config, data, start, on_progress, checkpoint)


def _run(
    config: Coil20Config,
    data: Coil20,
    start: float,
    on_progress: Callable[[Progress], None] | None,
    checkpoint: Path | None,
) -> Coil20Measured:
    state = _State.resumed(config, checkpoint)
    parts = [
        (seed, fold, objective)
        for seed in range(config.seeds)
        for fold in range(config.folds)
        for objective in (None, *config.objectives)
    ]

    def steps(some: list[tuple[int, int, Objective | None]]) -> int:
        return sum(config.training(each).steps for _, _, each in some if each is not None)

    total, found = steps(parts), steps(parts[: state.parts])

    def tell(progress: Progress) -> None:
        if on_progress is not None:
            step = steps(parts[: state.parts]) + progress.step
            seconds = time.perf_counter() - start
            left = seconds * (total - step) / (step - found)
            whole = replace(progress, step=step, steps=total, seconds=seconds, seconds_left=left)
            on_progress(replace(whole, record=None))  # a record counts its own encoder's steps

    for seed, fold, objective in parts[state.parts :]:
        cell = _Cell(config, data, seed, fold)
        own = None if checkpoint is None else checkpoint / f"part-{state.parts}"
        if objective is None:
            features = cell.controls()
        else:
            features = cell.train(objective, state.training[objective], tell, own)
        _read(state.predictions, cell, features)
        state.parts += 1
        if checkpoint is not None and own is not None:
            state.save(checkpoint)
            shutil.rmtree(own, ignore_errors=True)  # an optimiser's state is large
    return Coil20Measured(
        config=config,
        predictions=state.predictions,
        training=state.training,
        symmetry=symmetry_prediction(data, Parts.of_run(config)),
        fronts=(data.images[AZIMUTHS - 1 :: AZIMUTHS] * 255).round().byte(),
        seconds=time.perf_counter() - start,
    )


@dataclass(slots=True)
class _State:
    """What was trained and read out so far."""

    training: dict[str, Training]
    predictions: dict[str, ProbePredictions]
    parts: int = 0
    """Of each seed and fold the controls, then an encoder for each objective."""

    @classmethod
    def resumed(cls, config: Coil20Config, checkpoint: Path | None) -> "_State":
        saved = None if checkpoint is None else checkpoints.load(checkpoint, device="cpu")
        if saved is None:
            return cls({str(objective): Training() for objective in config.objectives}, {})
        return cls(
            {name: Training(**own) for name, own in saved["training"].items()},
            {name: ProbePredictions(**own) for name, own in saved["predictions"].items()},
            saved["parts"],
        )

    def save(self, folder: Path) -> None:
        checkpoints.save(folder, asdict(self))


def _read(predictions: dict[str, ProbePredictions], cell: "_Cell", features: Features) -> None:
    for name, h in features.items():
        if name not in predictions:
            seeds = 1 if name == PIXELS else cell.config.seeds
            predictions[name] = ProbePredictions.empty(seeds=seeds, folds=cell.config.folds)
        if cell.seed < len(predictions[name].azimuth):
            predictions[name].fill(
                h, cell.data, Parts.of_run(cell.config), seed=cell.seed, fold=cell.fold
            )


@dataclass(frozen=True, slots=True)
class _Cell:
    """One seed and one held-out fold: an encoder per objective, from the same start."""

    config: Coil20Config
    data: Coil20
    seed: int
    fold: int

    def stream(self, purpose: str) -> torch.Generator:
        return stream(self.config.seed, f"coil20/{purpose}/{self.seed}/{self.fold}")

    def encoder(self) -> CNN:
        width, dim = self.config.width, self.config.dim
        return CNN(width=width, out_dim=dim, generator=self.stream("encoder")).eval()

    def features(self, encoder: CNN) -> Float[Tensor, "1440 d_h"]:
        with torch.no_grad():
            return cast(Tensor, encoder(self.data.images))

    def controls(self) -> Features:
        """What needs no training."""
        pixels = self.data.images.flatten(1)
        projection = torch.randn(
            pixels.shape[1], self.config.dim, generator=self.stream("projection")
        )
        return {
            PIXELS: pixels,
            "random projection": pixels @ projection,
            "untrained": self.features(self.encoder()),
        }

    def train(
        self,
        objective: Objective,
        training: Training,
        tell: Callable[[Progress], None],
        checkpoint: Path | None,
    ) -> Features:
        """Train one encoder; its features, whole and split by what its head covers."""
        draw = Draws.of(self.config, self.data, fold=self.fold, objective=objective)
        encoder = self.encoder()
        head = SoftmaxHead(
            HeadConfig(negatives=None),
            draw.labels,
            self.config.dim,
            generator=self.stream(f"{objective}/head"),
        )
        held_out = Parts.of_run(self.config).held_out(self.fold).repeat(OBJECTS)

        def accuracy() -> dict[str, float]:
            named = head.logits(encoder(self.data.images[held_out])).argmax(1)
            return {"accuracy": float((named == self.data.object[held_out]).double().mean())}

        fitted = fit_network(
            encoder,
            head,
            draw=draw,
            config=self.config.training(objective),
            seed=self.stream(f"{objective}/batches").initial_seed(),
            evaluate=accuracy if objective == "supervised" else None,
            evaluate_every=EVALUATE_EVERY,
            on_progress=tell,
            checkpoint=checkpoint,
        )
        if fitted.status == "interrupted":
            raise KeyboardInterrupt
        h = self.features(encoder)
        coverage = head_row_space(head.rows().detach())
        training.add(labels=draw.labels, rank=coverage.rank, history=fitted.history)
        if coverage.rank == self.config.dim:
            return {objective: h}
        raw = torch.randn(
            self.config.dim,
            coverage.rank,
            generator=self.stream(f"{objective}/subspace"),
            dtype=torch.float64,
        )
        return {
            objective: h,
            f"{objective}, head row space": coverage.row_space(h),
            f"{objective}, complement": coverage.complement(h),
            f"{objective}, random part": h.double() @ torch.linalg.qr(raw).Q,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Training pairs of one objective from the images that one fold leaves to be seen."""

    images: Float[Tensor, "n side side"]
    """By object, then by azimuth."""
    label: Int[Tensor, " n"]
    labels: int
    """How many there are."""
    turn: Float[Tensor, "views views"] | None
    """Row i: how often view j of an object is drawn for the label of its view i."""
    shift: int
    brightness: float

    @classmethod
    def of(cls, config: Coil20Config, data: Coil20, *, fold: int, objective: Objective) -> "Draws":
        """The images seen, with an object or themselves as label."""
        seen = Parts.of_run(config).seen(fold)
        rows = seen.repeat(OBJECTS)
        n = int(rows.sum())
        supervised = objective == "supervised"
        circle = data.circle()[:AZIMUTHS][seen]
        return cls(
            images=data.images[rows],
            label=data.object[rows] if supervised else torch.arange(n),
            labels=OBJECTS if supervised else n,
            turn=(config.turn_kappa * (circle @ circle.T - 1)).exp()
            if objective == "diet-turned"
            else None,
            shift=config.shift,
            brightness=config.brightness,
        )

    def __call__(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """N images, each turned, moved and brightened at random, and their labels."""
        row = torch.randint(len(self.images), (n,), generator=generator)
        source = row
        if self.turn is not None:
            views = len(self.turn)
            view = torch.multinomial(self.turn[row % views], 1, generator=generator)[:, 0]
            source = row - row % views + view
        x = shifted(self.images[source], by=self.shift, generator=generator)
        gain = 1 + self.brightness * (2 * torch.rand(n, 1, 1, generator=generator) - 1)
        return x * gain, self.label[row]


def shifted(
    images: Float[Tensor, "n side side"], *, by: int, generator: torch.Generator
) -> Float[Tensor, "n side side"]:
    """Each image moved by up to `by` pixels down and across; black comes in."""
    n, side, _ = images.shape
    padded = F.pad(images, (by,) * 4)
    down, across = torch.randint(2 * by + 1, (2, n, 1), generator=generator) + torch.arange(side)
    return padded[torch.arange(n)[:, None, None], down[:, :, None], across[:, None, :]]
