"""Both procedures on every set of features, one set after the other; what is done is kept.

What is read out of are the networks' features, and of trained ones also the part that the head
reads and the rest (`theory.coverage`); the pixels; a random projection of them; and the true
class alone, as 1000 indicators: what a representation must reveal that reveals the class.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from identikit.core.files import write_json
from identikit.core.linalg import centred, rounding
from identikit.core.randomness import stream
from identikit.core.serialization import from_plain
from identikit.runs.study import Tell
from identikit.studies.paper.imagenet_x.linear_probes import Procedure, probe_targets
from identikit.studies.paper.imagenet_x.published import published_probe_targets
from identikit.studies.paper.imagenet_x.result import Represented, Role
from identikit.theory.coverage import Coverage, head_row_space
from identikit.training.fit import Progress

CLASSES = 1000
BLOCK = 4096
"""Rows at a time."""
Targets = Mapping[str, Bool[Tensor, " n"]]


@dataclass(frozen=True, kw_only=True)
class Features:
    """A set of features that is there when it is asked for."""

    name: str
    role: Role
    load: Callable[[], Float[Tensor, "n d"]]
    model: str = ""

    @property
    def in_the_paper(self) -> bool:
        """Whether the paper's figure has it."""
        return self.role in ("trained", "untrained", "projection")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is read out, and how."""

    targets: Targets
    published_targets: Targets
    """From the annotations that the paper used."""
    procedure: Procedure

    def read(
        self, features: list[Features], *, kept: Path, on_progress: Tell | None = None
    ) -> tuple[Represented, ...]:
        """Read out of every set of features.

        Args:
            features: In the order of the result.
            kept: Folder of what is done already, and of what will be.
            on_progress: Told after every target.
        """
        counts = [self._count(each) for each in features]
        clock = _Clock(steps=sum(counts), on_progress=on_progress)
        found = []
        for each, count in zip(features, counts, strict=True):
            path = kept / f"{each.name.replace(':', '-').replace(' ', '-')}.json"
            if path.exists():
                found.append(
                    from_plain(Represented, json.loads(path.read_text()), writer="this study")
                )
                clock.skip(count)
                continue
            found.append(self._read(each, clock))
            kept.mkdir(parents=True, exist_ok=True)
            write_json(path, asdict(found[-1]))
        return tuple(found)

    def _count(self, features: Features) -> int:
        return len(self.targets) + len(self.published_targets) * features.in_the_paper

    def _read(self, features: Features, clock: "_Clock") -> Represented:
        h = features.load()
        return Represented(
            name=features.name,
            role=features.role,
            model=features.model,
            dim=h.shape[1],
            corrected=probe_targets(
                h, self.targets, procedure=self.procedure, on_target=clock.tick
            ),
            published=published_probe_targets(
                h, self.published_targets, procedure=self.procedure, on_target=clock.tick
            )
            if features.in_the_paper
            else {},
        )


class _Clock:
    """Counts targets and says how long the rest will take."""

    def __init__(self, *, steps: int, on_progress: Tell | None) -> None:
        self.steps, self.step, self.timed = steps, 0, 0
        self.on_progress, self.start = on_progress, time.perf_counter()

    def skip(self, count: int) -> None:
        """Some were done before."""
        self.step += count

    def tick(self, target: str) -> None:
        """One more is done."""
        self.step, self.timed = self.step + 1, self.timed + 1
        if self.on_progress is None:
            return
        seconds = time.perf_counter() - self.start
        left = seconds * (self.steps - self.step) / self.timed
        self.on_progress(counted(self.step, self.steps, seconds=seconds, seconds_left=left))


def counted(done: int, total: int, *, seconds: float, seconds_left: float) -> Progress:
    """How work stands that is counted and trains nothing."""
    return Progress(
        step=done,
        steps=total,
        seconds=seconds,
        evaluation_seconds=0.0,
        seconds_left=seconds_left,
        loss=float("nan"),
        evaluation={},
        record=None,
    )


def network_features(
    name: str, model: str, load: Callable[[], Tensor], head: Float[Tensor, "labels d"] | None
) -> Iterator[Features]:
    """A trained network's h, and where its head is known the part that it reads and the rest."""
    yield Features(name=name, role="trained", model=model, load=load)
    if head is None:
        return
    coverage = head_row_space(head)
    yield Features(
        name=f"{name}, head row space",
        role="head row space",
        model=model,
        load=lambda: _by_blocks(coverage.row_space, load()),
    )
    if coverage.rank < head.shape[1]:
        yield Features(
            name=f"{name}, complement",
            role="complement",
            model=model,
            load=lambda: _outside(coverage, load()),
        )


def _outside(coverage: Coverage, h: Tensor) -> Tensor:
    """Coordinates outside what the head reads, 0 where they hold no more than h was rounded by."""
    rest = _by_blocks(coverage.complement, h)
    noise = 4 * rounding(h).square().sum().sqrt()
    return rest * (centred(rest).square().mean(dim=0).sqrt() > noise)


def projected(pixels: Float[Tensor, "n d"], *, dim: int, seed: int) -> Float[Tensor, "n dim"]:
    """A Gaussian random projection that the seed names."""
    matrix = torch.randn(pixels.shape[1], dim, generator=stream(seed, "imagenet-x/projection"))
    return _by_blocks(lambda x: x @ matrix / pixels.shape[1] ** 0.5, pixels)


def class_indicators(object_class: Int[Tensor, " n"]) -> Float[Tensor, "n 1000"]:
    """The true class, and nothing else."""
    return torch.nn.functional.one_hot(object_class, CLASSES).float()


def _by_blocks(change: Callable[[Tensor], Tensor], h: Tensor) -> Tensor:
    return torch.cat([change(block.float()).float() for block in torch.split(h, BLOCK)])
