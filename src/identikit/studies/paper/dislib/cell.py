"""One cell of the table: train one encoder on one factor, then read out all of them.

Beside the trained encoder stands its untrained twin, with the same weights before the first
step, on the same images. A cell is a run of its own, found by its config's hash.
"""

import math
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from identikit.core.randomness import stream
from identikit.encoders.staged import staged_encoder
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.probing.analogies import analogy_score, draw_analogies
from identikit.probing.few_shot import few_shot_accuracy
from identikit.probing.recovery import Recovery
from identikit.runs.store import Draft
from identikit.runs.study import Outcome, Watch
from identikit.statistics.bootstrap import Bootstrap
from identikit.studies.paper.dislib.config import CellConfig
from identikit.studies.paper.dislib.pictures import BLOCK, Pictures, Seen, unit
from identikit.studies.paper.dislib.readout import Targets, read_out
from identikit.studies.paper.dislib.sources import image_grid
from identikit.theory.coverage import Coverage, head_row_space
from identikit.training.fit import fit
from identikit.worlds.grids.grid import ImageGrid
from identikit.worlds.grids.split import split_rows

FEW = 2048
"""Images that shots are drawn from; half as many are named."""
DRAWS = 20
"""Draws of shots."""


def compute(config: CellConfig, draft: Draft, on_progress: Watch | None) -> Outcome:
    """Train, read out, score.

    Raises:
        InputError: a world or factor that is not there, or images that cannot be split.
    """
    images = image_grid(config.world, config.data)
    result = Cell(config, images).run(draft.checkpoint, on_progress)
    if result["status"] == "completed":  # an optimiser's state is large
        shutil.rmtree(draft.checkpoint, ignore_errors=True)
    return result, {}


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

    def run(self, checkpoint: Path, on_progress: Watch | None) -> dict[str, Any]:
        """Everything of the cell; training state is kept in a folder."""
        untrained, rank = read_out(self.seen, self.targets, coverage=None, bootstrap=self.bootstrap)
        if not self.seen.encoder.learns:
            return self._result(untrained, rank, {}, coverage=None, training=None)
        head, training = self.train(checkpoint, on_progress)
        if training["status"] == "interrupted":
            return {"status": "interrupted"}
        coverage = head_row_space(head.rows().detach().cpu())
        scores, rank = read_out(
            self.seen, self.targets, coverage=coverage, bootstrap=self.bootstrap
        )
        training["test_accuracy"] = self._accuracy(head, self.test)
        return self._result(
            scores, rank, {"untrained": untrained}, coverage=coverage, training=training
        )

    def train(
        self, checkpoint: Path | None = None, on_progress: Watch | None = None
    ) -> tuple[SoftmaxHead, dict[str, Any]]:
        """Train in place; the head and how it went."""
        config, device = self.config, self.pictures.device
        training = config.training(len(self.training))
        head = SoftmaxHead(
            HeadConfig(negatives=None),
            self.grid[config.task].size,
            self.seen.encoder.dim,
            generator=self.stream("head"),
        ).to(device)
        epoch = max(1, len(self.training) // training.batch_size)
        started = time.perf_counter()
        fitted = fit(
            self.seen,
            head,
            draw=self._draw,
            config=training,
            seed=self.stream("batches").initial_seed(),
            device=device,
            evaluate=lambda: {"accuracy": self._accuracy(head, self.validation)},
            evaluate_every=epoch,
            enough=lambda scores: scores["accuracy"] >= config.stop_accuracy,
            on_progress=on_progress,
            checkpoint=checkpoint,
        )
        return head, {
            "status": fitted.status,
            "epochs": fitted.steps / epoch,
            "steps": fitted.steps,
            "history": fitted.history,
            "seconds": time.perf_counter() - started,
        }

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

    def _result(
        self,
        scores: Any,
        rank: int,
        controls: dict[str, Any],
        *,
        coverage: Coverage | None,
        training: dict[str, Any] | None,
    ) -> dict[str, Any]:
        recovery = Recovery(
            factors=scores,
            controls=controls,
            n_train=len(self.training),
            n_test=len(self.test),
            dim=self.seen.encoder.dim,
            rank=rank,
        )
        return {
            "status": "completed",
            "recovery": recovery.to_dict(),
            "covered_dimensions": None if coverage is None else coverage.rank,
            "training": training,
            "few_shot": self._few_shot(),
            "analogies": self._analogies(),
            "images": len(self.pictures.rows),
            "of": self.grid.size,
            "shape": list(self.pictures.shape),
            "sizes": list(self.grid.sizes),
        }

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

    def _analogies(self) -> dict[str, dict[str, Any]]:
        """Estimate per factor and layer."""
        n = self.config.analogies
        bootstrap = Bootstrap(
            torch.arange(n), resamples=self.config.resamples, generator=self.stream("resamples")
        )
        found: dict[str, dict[str, Any]] = {}
        for j, name in enumerate(self.grid.names):
            corners = draw_analogies(
                self.grid.sizes, factor=j, n=n, generator=self.stream(f"analogies/{name}")
            )
            layers = self._layers(self.grid.rows(corners.flatten(0, 1)))
            found[name] = {
                layer: asdict(analogy_score(h.view(4, n, -1), bootstrap=bootstrap))
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
