"""One cell of the table: train one encoder on one factor, then read out all of them.

Beside the trained encoder stands its untrained twin, with the same weights before the first
step, on the same images. A cell is a run of its own, found by its config's hash.
"""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from identikit.core.estimate import Estimate
from identikit.core.randomness import stream
from identikit.encoders.staged import staged_encoder
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.probing.analogies import analogy_score, draw_analogies
from identikit.probing.few_shot import few_shot_accuracy
from identikit.probing.recovery import Recovery
from identikit.runs.study import Arrays, Context, Tell
from identikit.statistics.bootstrap import Bootstrap
from identikit.studies.paper.dislib.config import CellConfig
from identikit.studies.paper.dislib.linear_probes import FactorProbes, Targets, probe_factors
from identikit.studies.paper.dislib.pictures import BLOCK, Pictures, Seen, unit
from identikit.studies.paper.dislib.readings import Readings, Training
from identikit.studies.paper.dislib.result import CellResult
from identikit.studies.paper.dislib.sources import image_grid
from identikit.studies.paper.dislib.summary import UNTRAINED
from identikit.theory.coverage import head_row_space
from identikit.training.fit import Fit, fit_network
from identikit.worlds.grids.grid import ImageGrid
from identikit.worlds.grids.split import split_rows

FEW = 2048
"""Images that shots are drawn from; half as many are named."""
DRAWS = 20
"""Draws of shots."""


def compute(config: CellConfig, context: Context) -> tuple[CellResult, Arrays]:
    """Train, read out, score.

    Raises:
        InputError: a world or factor that is not there, or images that cannot be split.
    """
    images = image_grid(config.world, config.data)
    checkpoint = context.draft.checkpoint
    readings = Cell(config, images).run(checkpoint, context.tell)
    if readings is None:
        return CellResult(status="interrupted", readings=None), {}
    shutil.rmtree(checkpoint, ignore_errors=True)  # an optimiser's state is large
    return CellResult(status="completed", readings=readings), {}


class Cell:
    """A world, its split and an encoder."""

    def __init__(self, config: CellConfig, images: ImageGrid) -> None:
        """Split, hold the images, build the encoder.

        Args:
            config: The cell's.
            images: Its world.

        Raises:
            InputError: a factor that is not there, or images that cannot be split.
        """
        self.config, self.grid = config, images.grid
        device = torch.device(config.device)
        split = split_rows(
            images.grid, task=config.task, seed=config.repetition, images=config.images
        )
        self.pictures = Pictures(images, split, size=config.size, device=device)
        self.training, self.validation, self.test = self.pictures.parts
        encoder = staged_encoder(
            config.encoder, shape=self.pictures.shape, generator=self.stream("encoder")
        )
        self.seen = Seen(self.pictures, encoder.to(device)).eval()
        self.targets = Targets.of(images.grid)
        self.label = self.pictures.index[:, images.grid.position(config.task)].to(device)
        self.bootstrap = Bootstrap(
            torch.arange(len(self.test)),
            resamples=config.resamples,
            generator=self.stream("bootstrap"),
        )

    def stream(self, purpose: str) -> torch.Generator:
        """The generator for one purpose of this repetition."""
        return stream(self.config.repetition, f"dislib/{purpose}")

    def run(self, checkpoint: Path, on_progress: Tell) -> Readings | None:
        """Everything of the cell; None if training was stopped, whose state the folder keeps."""
        untrained = probe_factors(self.seen, self.targets, coverage=None, bootstrap=self.bootstrap)
        if not self.seen.encoder.learns:
            return self._readings(untrained)
        head, fitted = self.train(checkpoint, on_progress)
        if fitted.status == "interrupted":
            return None
        coverage = head_row_space(head.rows().detach().cpu())
        found = probe_factors(self.seen, self.targets, coverage=coverage, bootstrap=self.bootstrap)
        training = Training(
            epochs=fitted.steps / self.epoch,
            steps=fitted.steps,
            history=tuple(fitted.history),
            seconds=fitted.seconds,
            test_accuracy=self._accuracy(head, self.test),
        )
        readings = self._readings(found.above(untrained, UNTRAINED))
        return replace(
            readings,
            recovery=replace(readings.recovery, controls={UNTRAINED: untrained.scores}),
            covered_dimensions=coverage.rank,
            training=training,
        )

    @property
    def epoch(self) -> int:
        """Steps of one."""
        return max(1, len(self.training) // self.config.training(len(self.training)).batch_size)

    def train(
        self, checkpoint: Path | None = None, on_progress: Tell | None = None
    ) -> tuple[SoftmaxHead, Fit]:
        """Train in place; the head and how it went."""
        config, device = self.config, self.pictures.device
        head = SoftmaxHead(
            HeadConfig(negatives=None),
            self.grid[config.task].size,
            self.seen.encoder.dim,
            generator=self.stream("head"),
        ).to(device)
        fitted = fit_network(
            self.seen,
            head,
            draw=self._draw,
            config=config.training(len(self.training)),
            seed=self.stream("batches").initial_seed(),
            device=device,
            evaluate=lambda: {"accuracy": self._accuracy(head, self.validation)},
            evaluate_every=self.epoch,
            enough=lambda scores: scores["accuracy"] >= config.stop_accuracy,
            on_progress=on_progress,
            checkpoint=checkpoint,
        )
        return head, fitted

    def _draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Places and labels of n training images, all of them before any comes twice."""
        size, device = len(self.training), generator.device
        rounds = range(math.ceil(n / size))
        shuffled = [torch.randperm(size, generator=generator, device=device) for _ in rounds]
        places = torch.cat(shuffled)[:n]  # training images come first
        return places, self.label[places]

    @torch.no_grad()
    def _accuracy(self, head: SoftmaxHead, places: Tensor) -> float:
        hits = [
            (head.logits(h).argmax(1) == self.label[block.to(self.label.device)]).sum()
            for block, h in self.seen.blocks(places)
        ]
        return float(torch.stack(hits).sum()) / len(places)

    def _readings(self, found: FactorProbes) -> Readings:
        """What is measured whether anything was trained or not."""
        return Readings(
            recovery=Recovery(
                factors=found.scores,
                n_train=len(self.training),
                n_test=len(self.test),
                dim=self.seen.encoder.dim,
                rank=found.rank,
            ),
            covered_dimensions=None,
            training=None,
            few_shot=self._few_shot(),
            analogies=self._analogies(),
            images=len(self.pictures.rows),
            of=self.grid.size,
            shape=self.pictures.shape,
            sizes=self.grid.sizes,
        )

    def _few_shot(self) -> dict[str, float]:
        """Accuracy per factor, mean over draws of shots."""
        pool, test = self.training[:FEW], self.test[: FEW // 2]
        h, h_test = self.seen.features(pool), self.seen.features(test)
        return {
            name: few_shot_accuracy(
                (h, self.pictures.index[pool, j]),
                (h_test, self.pictures.index[test, j]),
                shots=self.config.shots,
                draws=DRAWS,
                generator=self.stream(f"shots/{name}"),
            )
            .mean()
            .item()
            for j, name in enumerate(self.grid.names)
        }

    def _analogies(self) -> dict[str, dict[str, Estimate]]:
        """Estimate per factor and layer."""
        n = self.config.analogies
        bootstrap = Bootstrap(
            torch.arange(n), resamples=self.config.resamples, generator=self.stream("resamples")
        )
        found: dict[str, dict[str, Estimate]] = {}
        for j, name in enumerate(self.grid.names):
            corners = draw_analogies(
                self.grid.sizes, factor=j, n=n, generator=self.stream(f"analogies/{name}")
            )
            layers = self._layers(self.grid.rows(corners.flatten(0, 1)))
            found[name] = {
                layer: analogy_score(h.view(4, n, -1), bootstrap=bootstrap)
                for layer, h in layers.items()
            }
        return found

    @torch.no_grad()
    def _layers(self, rows: Tensor) -> dict[str, Tensor]:
        blocks = [
            {name: h.cpu() for name, h in self.seen.encoder.layers(unit(images)).items()}
            for images in map(self.pictures.at, torch.split(rows, BLOCK))
        ]
        return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}
