"""From cells to lines of the table: means over repetitions with their spread or interval.

The interval of a mean is over repetitions, each with images, split, weights and batches of its
own; a single repetition has the interval of its held-out images.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from identikit.core.estimate import Estimate, Spread
from identikit.core.randomness import stream
from identikit.probing.result import FactorScore
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap, crossed
from identikit.statistics.repetitions import mean_interval
from identikit.studies.paper.dislib.readings import CellRecord, FailedCell

RESAMPLES = 1000
PIXELS = "pixels"
"""The encoder that learns nothing."""
UNTRAINED = "untrained"
"""The control of a cell: the same weights before the first step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One factor, read out of one encoder that was trained on one task."""

    world: str
    encoder: str
    task: str
    factor: str
    measure: str
    chance: float
    r: Spread
    """Pearson's, by the paper's protocol."""
    score: Estimate
    """Ours."""
    row_space: Estimate | None
    complement: Estimate | None
    untrained: Estimate | None
    untrained_r: Spread | None
    above: Mapping[str, Estimate]
    """Score less that of each control, paired by repetition; of a single repetition paired by
    test image, where that is known."""
    few_shot: float
    few_shot_chance: float
    analogies: Mapping[str, Estimate]
    """By layer."""


def finished(cells: Iterable[CellRecord | FailedCell]) -> list[CellRecord]:
    """The cells that were made."""
    return [cell for cell in cells if isinstance(cell, CellRecord)]


def lines_of(cells: Iterable[CellRecord | FailedCell]) -> list[Line]:
    """All lines, repetitions brought together, in the order of the cells."""
    groups: dict[tuple[str, str, str], list[CellRecord]] = {}
    for cell in finished(cells):
        groups.setdefault((cell.world, cell.encoder, cell.task), []).append(cell)
    return [
        line
        for (world, encoder, task), group in groups.items()
        for line in _lines(
            group, [] if encoder == PIXELS else groups.get((world, PIXELS, task), [])
        )
    ]


def first_task(lines: Iterable[Line], world: str) -> list[Line]:
    """The lines of a world's first task."""
    own = [line for line in lines if line.world == world]
    return [line for line in own if line.task == own[0].task]


def widest(lines: Sequence[Line]) -> list[Line]:
    """The lines of the last encoder that learned."""
    learned = [line.encoder for line in lines if line.untrained is not None]
    last = learned[-1] if learned else lines[-1].encoder
    return [line for line in lines if line.encoder == last]


def line_of(lines: Iterable[Line], encoder: str, factor: str) -> Line | None:
    """The line of a factor in an encoder, if there is one."""
    found = [line for line in lines if (line.encoder, line.factor) == (encoder, factor)]
    return found[0] if found else None


def _lines(cells: Sequence[CellRecord], pixels: Sequence[CellRecord]) -> list[Line]:
    """A line for each factor.

    Args:
        cells: Repetitions of one encoder, taught one task.
        pixels: Those of the pixels, on the same images.
    """
    first = cells[0]
    lines = []
    for j, size in enumerate(first.readings.sizes):
        own = {cell.repetition: cell.readings.recovery for cell in cells}
        scores = [recovery.factors[j] for recovery in own.values()]
        twins = {k: r.controls[UNTRAINED][j] for k, r in own.items() if UNTRAINED in r.controls}
        beside = {cell.repetition: cell.readings.recovery.factors[j] for cell in pixels}
        name = scores[0].name
        lines.append(
            Line(
                world=first.world,
                encoder=first.encoder,
                task=first.task,
                factor=name,
                measure=scores[0].measure,
                chance=scores[0].chance,
                r=_r(scores),
                score=over_repetitions([s.estimate for s in scores]),
                row_space=_part([s.row_space for s in scores]),
                complement=_part([s.complement for s in scores]),
                untrained=_part([s.estimate for s in twins.values()]),
                untrained_r=_r([*twins.values()]) if twins else None,
                above=_above(
                    {k: recovery.factors[j] for k, recovery in own.items()},
                    {UNTRAINED: twins, PIXELS: beside},
                ),
                few_shot=fmean(cell.readings.few_shot[name] for cell in cells),
                few_shot_chance=1 / size,
                analogies={
                    layer: over_repetitions([c.readings.analogies[name][layer] for c in cells])
                    for layer in first.readings.analogies[name]
                },
            )
        )
    return lines


def _r(scores: Sequence[FactorScore]) -> Spread:
    return Spread.of([score.extras["r"] for score in scores])


def _part(estimates: Sequence[Estimate | None]) -> Estimate | None:
    known = [estimate for estimate in estimates if estimate is not None]
    return over_repetitions(known) if known else None


def _above(
    scores: Mapping[int, FactorScore], controls: Mapping[str, Mapping[int, FactorScore]]
) -> dict[str, Estimate]:
    """Differences by repetition; the only one's own difference where it is known."""
    if len(scores) == 1:
        (only,) = scores.values()
        return dict(only.above)
    found = {}
    for name, beside in controls.items():
        differences = [
            own.estimate.value - beside[repetition].estimate.value
            for repetition, own in scores.items()
            if repetition in beside
        ]
        if len(differences) > 1:
            found[name] = mean_interval(differences)
    return found


def over_repetitions(estimates: Sequence[Estimate]) -> Estimate:
    """The mean with its 95 % interval over repetitions, or the only one as it is."""
    if len(estimates) == 1:
        return estimates[0]
    return mean_interval([estimate.value for estimate in estimates], largest=1.0)


def above_chance(value: float, chance: float) -> float:
    """0 for guessing, 1 for never wrong."""
    return (value - chance) / (1 - chance)


def transfer(lines: Sequence[Line]) -> Estimate | None:
    """Spearman's correlation of recovery with few-shot accuracy, both over chance.

    Its interval resamples encoders and factors, which cross; None for fewer than two of either.
    """
    encoders = _numbered([_owner(line) for line in lines])
    factors = _numbered([(line.world, line.factor) for line in lines])
    if min(len(torch.unique(own)) for own in (encoders, factors)) < 2:
        return None
    x = torch.tensor([above_chance(line.score.value, line.chance) for line in lines])
    y = torch.tensor([above_chance(line.few_shot, line.few_shot_chance) for line in lines])
    generator = stream(0, "transfer")
    one, other = (
        Bootstrap(own, resamples=RESAMPLES, generator=generator) for own in (encoders, factors)
    )
    return crossed(one, other, measures.spearman(x, y)).estimates()[0]


def _numbered(keys: Sequence[tuple[str, ...]]) -> torch.Tensor:
    number = {key: k for k, key in enumerate(dict.fromkeys(keys))}
    return torch.tensor([number[key] for key in keys])


def _owner(line: Line) -> tuple[str, str, str]:
    return line.world, line.encoder, line.task
