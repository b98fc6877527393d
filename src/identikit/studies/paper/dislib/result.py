"""What a DisLib table says, and what each of its cells says: findings from the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from identikit.core.estimate import Spread, format_number
from identikit.core.finding import (
    Control,
    Finding,
    Headline,
    Verdict,
    beside_controls,
    factor_headline,
    judge_factor,
    judge_prediction,
)
from identikit.probing.default_measures import MEASURES
from identikit.probing.linear_probes import CLASSES
from identikit.report.shown import Said
from identikit.studies.paper.dislib.readings import CellRecord, FailedCell, Readings
from identikit.studies.paper.dislib.summary import (
    PIXELS,
    UNTRAINED,
    Line,
    above_chance,
    finished,
    first_task,
    line_of,
    lines_of,
    widest,
)

OF_LEVELS = [MEASURES[kind].name for kind in CLASSES]
"""Scores of naming levels."""
NAMES = {"pixels": "pixels", "linear": "linear", "mlp": "MLP", "resnet18": "ResNet-18"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CellResult(Said):
    """One cell of the table."""

    status: Literal["completed", "interrupted"]
    readings: Readings | None
    """None if training was stopped."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """A finding for each factor, judged against the untrained twin."""
        return () if self.readings is None else self.readings.recovery.findings

    @property
    def headline(self) -> Headline:
        """How many factors were learned."""
        if self.readings is None:
            sentence = "Training was stopped before its end, and nothing was read out yet."
            return Headline(sentence=sentence, word="Undecided", tone="neutral")
        return self.readings.recovery.headline


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisDescription:
    """A factor of a world."""

    name: str
    kind: str
    size: int
    shown: tuple[str, ...]
    """The levels in its pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldDescription:
    """A world of images."""

    images: int
    shape: tuple[int, int, int]
    factors: tuple[AxisDescription, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DisLibResult(Said):
    """The table: its cells, and what they say together."""

    status: Literal["completed", "incomplete"]
    failed: int
    """Cells that could not be made."""
    found: int
    """Cells that had been made before."""
    cells: tuple[CellRecord | FailedCell, ...]
    worlds: dict[str, WorldDescription]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of each world, for its first task and the last of the encoders that learned."""
        lines, cells = lines_of(self.cells), finished(self.cells)
        return tuple(
            replace(finding, quantity=f"{world}: {finding.quantity}")
            for world, own in _by_world(lines).items()
            for finding in (*_covered(own, cells), *_factors(own))
        )

    @property
    def headline(self) -> Headline:
        """What of the factors that were not taught was learned, world by world."""
        sentences, others = [], []
        for world, lines in _by_world(lines_of(self.cells)).items():
            main = widest(lines)[0]
            found = [f for f in _factors(lines) if f.quantity != main.task] or _factors(lines)
            words = factor_headline(found).sentence
            encoder = NAMES[main.encoder]
            sentences.append(
                f"{world}, {encoder}: {words}"
                if main.untrained is None
                else f"{world}, {encoder} taught the {main.task}, of the other factors: {words}"
            )
            others += found
        if not others:
            sentence = "No cell could be made; the notes on training say why."
            return Headline(sentence=sentence, word="Undecided", tone="neutral")
        return replace(factor_headline(others), sentence=" ".join(sentences))


def _by_world(lines: Sequence[Line]) -> dict[str, list[Line]]:
    worlds = dict.fromkeys(line.world for line in lines)
    return {world: first_task(lines, world) for world in worlds}


def _covered(lines: Sequence[Line], cells: Sequence[CellRecord]) -> list[Finding]:
    """What theory speaks of: how much of h the head sees, and what else is in there."""
    main = widest(lines)
    key = (main[0].world, main[0].encoder, main[0].task)
    own = [c.readings for c in cells if (c.world, c.encoder, c.task) == key]
    ranks = [r.covered_dimensions for r in own if r.covered_dimensions is not None]
    if not ranks:  # nothing was trained
        return []
    classes = own[0].sizes[[line.factor for line in main].index(main[0].task)]
    dim, rank = own[0].recovery.dim, fmean(ranks)
    most = min(classes - 1, dim)
    found = [
        Finding(
            quantity=f"dimensions of h that theory covers ({NAMES[main[0].encoder]})",
            predicted=most,
            recovered=ranks[0] if len({*ranks}) == 1 else Spread.of(ranks),
            explained=f"The head of {classes} classes sees h through the differences of its rows "
            f"only, {classes - 1} of {dim} dimensions.",
            verdict=judge_prediction(rank, most, close={*ranks} == {most}),
        )
    ]
    inside = [
        above_chance(line.row_space.value, line.chance)
        for line in main
        if line.factor != line.task and line.row_space is not None
    ]
    if inside:
        found.append(
            Finding(
                quantity="other factors from the covered part, mean score above chance",
                recovered=fmean(inside),
                explained=f"At the optimum the covered part depends on the {main[0].task} alone, "
                "and the factors of a grid are independent: none of the others is guaranteed.",
                verdict=Verdict.MEASURED,
            )
        )
    return found


def _factors(lines: Sequence[Line]) -> list[Finding]:
    """The factors in the main encoder, judged against its untrained twin and the pixels."""
    return [_factor(line, line_of(lines, PIXELS, line.factor)) for line in widest(lines)]


def _factor(line: Line, pixels: Line | None) -> Finding:
    beside = {UNTRAINED: line.untrained}
    if pixels is not None and line.untrained is not None:  # else it is the pixels' own line
        beside[PIXELS] = pixels.score
    controls = tuple(
        Control(name=name, recovered=score, lead=line.above.get(name))
        for name, score in beside.items()
        if score is not None
    )
    verdict = judge_factor(line.score, chance=line.chance, controls=controls)
    taught = line.factor == line.task and line.untrained is not None
    return Finding(
        quantity=line.factor,
        measure=line.measure,
        # the head itself names the classes by a linear rule
        predicted=1.0 if taught and line.measure in OF_LEVELS else None,
        recovered=line.score,
        chance=line.chance,
        controls=controls,
        explained=_explained(line, verdict, controls, taught=taught),
        verdict=verdict,
    )


def _explained(line: Line, verdict: Verdict, controls: Sequence[Control], *, taught: bool) -> str:
    words = ["The task: its classes must be told apart."] if taught else []
    if verdict is Verdict.NOT_SHOWN:
        words.append("No better than chance.")
    elif not controls:
        words.append("Linearly there; nothing was trained.")
    else:
        stands = beside_controls(line.score, controls)
        words.append(f"{stands[0].upper()}{stands[1:]}.")
        if verdict is Verdict.LEARNED and not taught:
            words.append("The task does not ask for it: inductive bias, not guaranteed.")
    parts = {"covered part": line.row_space, "complement": line.complement}
    known = [f"{name} {format_number(e.value)}" for name, e in parts.items() if e is not None]
    return " ".join(words) + (f" From parts of h: {', '.join(known)}." if known else "")
