"""From cells to lines of the table: means over repetitions with their spread or interval.

Interval of a mean over r repetitions: mean ± t_(r-1) sd / sqrt(r), each with images, split,
weights and batches of its own; a single repetition has the interval of its held-out images.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from scipy import stats

from identikit.core.estimate import Estimate, Spread
from identikit.core.randomness import stream
from identikit.probing.recovery import Recovery
from identikit.probing.result import FactorScore
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap

RESAMPLES = 1000


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
    gained: Estimate | None
    """Score less that of the untrained twin, paired by repetition."""
    few_shot: float
    few_shot_chance: float
    analogies: Mapping[str, Estimate]
    """By layer."""


Cells = Sequence[Mapping[str, Any]]


def finished(cells: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The cells that were made."""
    return [cell for cell in cells if cell["error"] is None]


def lines_of(cells: Iterable[Mapping[str, Any]]) -> list[Line]:
    """All lines, repetitions brought together, in the order of the cells."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for cell in finished(cells):
        groups.setdefault((cell["world"], cell["encoder"], cell["task"]), []).append(cell)
    return [line for key, group in groups.items() for line in _lines(key, group)]


def _lines(key: tuple[str, str, str], cells: Cells) -> list[Line]:
    world, encoder, task = key
    recoveries = [Recovery.from_dict(cell["recovery"]) for cell in cells]
    lines = []
    for j, size in enumerate(cells[0]["sizes"]):
        scores = [recovery.factors[j] for recovery in recoveries]
        twins = [r.controls["untrained"][j] for r in recoveries if "untrained" in r.controls]
        name = scores[0].name
        layers = cells[0]["analogies"][name]
        lines.append(
            Line(
                world=world,
                encoder=encoder,
                task=task,
                factor=name,
                measure=scores[0].measure,
                chance=scores[0].chance,
                r=_r(scores),
                score=over_repetitions([s.estimate for s in scores]),
                row_space=_part([s.row_space for s in scores]),
                complement=_part([s.complement for s in scores]),
                untrained=_part([s.estimate for s in twins]),
                untrained_r=_r(twins) if twins else None,
                gained=_gained(scores, twins),
                few_shot=fmean(cell["few_shot"][name] for cell in cells),
                few_shot_chance=1 / size,
                analogies={
                    layer: over_repetitions(
                        [Estimate(**cell["analogies"][name][layer]) for cell in cells]
                    )
                    for layer in layers
                },
            )
        )
    return lines


def _r(scores: Sequence[FactorScore]) -> Spread:
    return Spread.of([score.extras["r"] for score in scores])


def _part(estimates: Sequence[Estimate | None]) -> Estimate | None:
    known = [estimate for estimate in estimates if estimate is not None]
    return over_repetitions(known) if known else None


def _gained(scores: Sequence[FactorScore], twins: Sequence[FactorScore]) -> Estimate | None:
    """None where nothing learned, or a single repetition leaves no pairs to compare."""
    if len(twins) < 2:
        return None
    pairs = zip(scores, twins, strict=True)
    differences = [own.estimate.value - twin.estimate.value for own, twin in pairs]
    return over_repetitions([Estimate(d, d, d) for d in differences])


def over_repetitions(estimates: Sequence[Estimate]) -> Estimate:
    """The mean with its 95 % interval over repetitions, or the only one as it is."""
    if len(estimates) == 1:
        return estimates[0]
    spread = Spread.of([estimate.value for estimate in estimates])
    arm = float(stats.t.ppf(0.975, spread.n - 1)) * (spread.sd or 0.0) / spread.n**0.5
    return Estimate(spread.mean, spread.mean - arm, spread.mean + arm)


def above_chance(value: float, chance: float) -> float:
    """0 for guessing, 1 for never wrong."""
    return (value - chance) / (1 - chance)


def transfer(lines: Sequence[Line]) -> Estimate | None:
    """Spearman's correlation of recovery with few-shot accuracy, both over chance.

    Its interval resamples encoders, whose factors go together; None for fewer than two encoders.
    """
    owners = {key: k for k, key in enumerate(dict.fromkeys(_owner(line) for line in lines))}
    if len(owners) < 2:
        return None
    x = torch.tensor([above_chance(line.score.value, line.chance) for line in lines])
    y = torch.tensor([above_chance(line.few_shot, line.few_shot_chance) for line in lines])
    bootstrap = Bootstrap(
        torch.tensor([owners[_owner(line)] for line in lines]),
        resamples=RESAMPLES,
        generator=stream(0, "transfer"),
    )
    return bootstrap.estimates(measures.spearman(x, y))[0]


def _owner(line: Line) -> tuple[str, str, str]:
    return line.world, line.encoder, line.task
