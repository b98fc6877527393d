"""The page of a DisLib table: Table 4 by the paper's protocol and by ours, and what explains it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from identikit.core.config import from_dict
from identikit.core.estimate import Estimate, Spread
from identikit.probing.plot import recovery_figures
from identikit.probing.recovery import Recovery
from identikit.report.figures import (
    FactorBar,
    Figure,
    Points,
    factor_bars,
    image_grid,
    matrix,
    points,
)
from identikit.report.page import Page, Section, Table
from identikit.report.tables import Links
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.paper.dislib.config import BUDGETS, CellConfig
from identikit.studies.paper.dislib.in_print import missed_in_pixels, printed
from identikit.studies.paper.dislib.readings import CellRecord, FailedCell
from identikit.studies.paper.dislib.result import (
    NAMES,
    CellResult,
    DisLibResult,
    WorldDescription,
)
from identikit.studies.paper.dislib.summary import (
    PIXELS,
    Line,
    above_chance,
    finished,
    first_task,
    line_of,
    lines_of,
    over_repetitions,
    transfer,
)


def dislib_page(run: Run, result: DisLibResult) -> Page:
    """The page of a saved `identikit reproduce dislib` run."""
    lines = lines_of(result.cells)
    worlds = list(dict.fromkeys(line.world for line in lines))
    several = len({line.task for line in lines}) > len(worlds)
    pictures = run.arrays()
    return Page(
        title="DisLib: taught one factor, what of the others?",
        subtitle=_budget(run.config, finished(result.cells)),
        headline=result.headline,
        findings=result.findings,
        sections=(
            *(_table_section(first_task(lines, world)) for world in worlds),
            *((_task_section(lines, worlds),) if several else ()),
            *_transfer_section(lines),
            *(_analogy_section(first_task(lines, world)) for world in worlds),
            _training_section(result.cells),
            *(_world_section(name, about, pictures[name]) for name, about in result.worlds.items()),
        ),
        provenance=provenance(run),
    )


def _encoders(lines: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(line.encoder for line in lines))


def _budget(config: Mapping[str, Any], cells: Sequence[CellRecord]) -> str:
    budget = config["budget"]
    parts = []
    for world in dict.fromkeys(cell.world for cell in cells):
        one = next(cell.readings for cell in cells if cell.world == world)
        side = one.shape[-1]
        share = "all" if one.images == one.of else f"{one.images:,} of"
        parts.append(f"{world}, {share} {one.of:,} images at {side} x {side} pixels")
    epochs = config["epochs"] or BUDGETS[budget].epochs
    repetitions = config["repetitions"] or BUDGETS[budget].repetitions
    parts.append(f"up to {epochs} epochs, repetitions: {repetitions}.")
    if budget != "full":
        parts[-1] += (
            " The protocol has all images at their size, up to 100 epochs and ten repetitions."
        )
    return f"Budget {budget}: {'; '.join(parts)}"


def _gained(line: Line, estimate: Estimate) -> float:
    return above_chance(estimate.value, line.chance)


def _table_section(lines: list[Line]) -> Section:
    world, task = lines[0].world, lines[0].task
    factors = list(dict.fromkeys(line.factor for line in lines))
    paper: dict[str, list[object]] = {"factor": list(factors)}
    ours: dict[str, list[object]] = {
        "factor": list(factors),
        "measure": [_measure(lines, factor) for factor in factors],
    }
    parts: dict[str, list[object]] = {"factor": list(factors)}
    for encoder in _encoders(lines):
        found = [line_of(lines, encoder, factor) for factor in factors]
        name = NAMES[encoder]
        in_print = [printed(world, encoder, factor) for factor in factors]
        if any(in_print):
            paper[f"{name}, in print"] = [*in_print]
        paper[name] = [line and line.r for line in found]
        ours[name] = [line and line.score for line in found]
        if encoder != PIXELS:
            paper[f"{name}, untrained"] = [line and line.untrained_r for line in found]
            parts[f"{name}, covered"] = [line and line.row_space for line in found]
            parts[f"{name}, rest"] = [line and line.complement for line in found]
            parts[f"{name}, untrained"] = [line and line.untrained for line in found]
    tables = [
        Table(caption=f"{world}, paper: Pearson's r", frame=_frame(paper)),
        Table(caption=f"{world}, ours", frame=_frame(ours)),
    ]
    if len(parts) > 1:
        tables.append(Table(caption=f"{world}, ours, by part of h", frame=_frame(parts)))
    figures = [_bars(line_set) for line_set in _learned(lines)]
    return Section(
        heading=f"{world}, taught the {task}",
        lead="First the paper's protocol: least squares, Pearson's correlation on test images, "
        "mean and standard deviation over repetitions. Then ours: the score that fits the kind "
        "of factor, with its 95 % interval, over repetitions where there are several.",
        figures=tuple(figures),
        tables=tuple(tables),
        notes=(
            "Mended: factors are whole indices, maps have a constant and are solved in float64 "
            "with a relative cut-off, scores are of test images, circles are cosine and sine, "
            "nominal factors indicators (r is the mean over such columns).",
            "Covered is the part of h in the row space of the centred head, the only one that "
            "theory speaks of; the untrained twin has the weights of before the first step.",
            *missed_in_pixels(lines),
        ),
    )


def _measure(lines: list[Line], factor: str) -> str:
    return next(line.measure for line in lines if line.factor == factor)


def _frame(columns: dict[str, list[object]]) -> pd.DataFrame:
    return pd.DataFrame(columns).astype(object)


def _learned(lines: list[Line]) -> list[list[Line]]:
    names = [name for name in _encoders(lines) if name != PIXELS]
    return [[line for line in lines if line.encoder == name] for name in names]


def _bars(lines: list[Line]) -> Figure:
    """Bars of one encoder; what pixels reach is in the tables."""
    world, encoder = lines[0].world, lines[0].encoder
    bars = [
        FactorBar(
            name=f"{line.factor} ({line.measure})",
            estimate=line.score,
            row_space=line.row_space,
            complement=line.complement,
            chance=line.chance,
            controls={} if line.untrained is None else {"untrained": line.untrained},
        )
        for line in lines
    ]
    return replace(
        factor_bars(bars, score="score"),
        name=f"{world}-{encoder}",
        title=f"{world}, {NAMES[encoder]}",
    )


def _task_section(lines: Sequence[Line], worlds: Sequence[str]) -> Section:
    figures = []
    for world in worlds:
        for encoder in _encoders([line for line in lines if line.world == world]):
            own = [line for line in lines if (line.world, line.encoder) == (world, encoder)]
            tasks = list(dict.fromkeys(line.task for line in own))
            if len(tasks) > 1:
                figures.append(_task_matrix(own, tasks, world, encoder))
    return Section(
        heading="Which task teaches which factor",
        lead="Each row is an encoder that was taught that factor, each column a factor read out of "
        "it; the last row is the encoder before training.",
        figures=tuple(figures),
    )


def _task_matrix(own: list[Line], tasks: list[str], world: str, encoder: str) -> Figure:
    factors = list(dict.fromkeys(line.factor for line in own))
    found = {(line.task, line.factor): line for line in own}
    values = [
        [max(0.0, _gained(found[task, f], found[task, f].score)) for f in factors] for task in tasks
    ]
    before = [
        fmean(_gained(line, line.untrained) for line in own if line.factor == f and line.untrained)
        for f in factors
    ]
    return replace(
        matrix(
            np.array([*values, [max(0.0, value) for value in before]]),
            rows=[*tasks, "untrained"],
            columns=factors,
            labels=("taught", "read out"),
            quantity="score above chance (1 is perfect)",
        ),
        name=f"tasks-{world}-{encoder}",
        title=f"{world}, {NAMES[encoder]}",
    )


def _transfer_section(lines: list[Line]) -> tuple[Section, ...]:
    correlation = transfer(lines)
    if correlation is None:
        return ()
    groups = [
        Points(
            name=world,
            x=[_gained(line, line.score) for line in lines if line.world == world],
            y=[
                above_chance(line.few_shot, line.few_shot_chance)
                for line in lines
                if line.world == world
            ],
            words=[
                f"{NAMES[line.encoder]} taught {line.task}: {line.factor}"
                for line in lines
                if line.world == world
            ],
        )
        for world in dict.fromkeys(line.world for line in lines)
    ]
    figure = replace(
        points(groups, x_label="recovery above chance", y_label="few-shot accuracy above chance"),
        name="transfer",
        title="Recovery and few-shot accuracy",
    )
    return (
        Section(
            heading="Does recovery predict transfer?",
            lead="Each point is a factor in an encoder: how linearly it is there, and how often "
            "its level is named from the class means of five labelled images a level, both above "
            f"chance. Spearman's correlation is {correlation} (interval from resampling encoders)"
            f"{_untaught(lines)}.",
            figures=(figure,),
        ),
    )


def _untaught(lines: list[Line]) -> str:
    """The same without the factors that were taught, which are both read and named best."""
    others = transfer([line for line in lines if line.factor != line.task])
    return "" if others is None else f"; without the taught factors {others}"


def _analogy_section(lines: list[Line]) -> Section:
    tables = []
    for own in [*_learned(lines), [line for line in lines if line.encoder == PIXELS]]:
        if own:
            columns: dict[str, list[object]] = {"factor": [line.factor for line in own]}
            for layer in own[0].analogies:
                if own[0].encoder != PIXELS or layer == "h":
                    columns[layer] = [line.analogies[layer] for line in own]
            columns["linear recovery"] = [line.score for line in own]
            name = NAMES[own[0].encoder]
            caption = f"Analogies, {own[0].world}, {name}"
            tables.append(Table(caption=caption, frame=_frame(columns)))
    return Section(
        heading=f"Analogies, {lines[0].world}",
        lead="h(a) - h(b) + h(c) against h(d), where a and d have one level of the factor, b and c "
        "another, and a, b share all else, as c, d do. 1: the step is the same whatever else is "
        "seen; 0: steps have nothing to do with each other, which is chance.",
        tables=tuple(tables),
        notes=("Maps of a convolution are averaged over space before they are compared.",),
    )


def _training_section(cells: Sequence[CellRecord | FailedCell]) -> Section:
    groups: dict[tuple[str, str, str], list[CellRecord]] = {}
    for cell in finished(cells):
        if cell.readings.training is not None:
            key = (cell.world, NAMES[cell.encoder], cell.task)
            groups.setdefault(key, []).append(cell)
    rows = [_training_row(*key, group) for key, group in groups.items()]
    return Section(
        heading="Training",
        lead="Adam with a constant rate of 0.001 on the cross-entropy of the taught factor; it "
        "stops at 99.9 % validation accuracy.",
        tables=(Table(caption="Training", frame=pd.DataFrame(rows).astype(object)),),
        notes=tuple(
            f"{c.world}, {c.encoder}, {c.task}, repetition {c.repetition} failed: {c.error}"
            for c in cells
            if isinstance(c, FailedCell)
        ),
    )


def _training_row(
    world: str, encoder: str, task: str, cells: Sequence[CellRecord]
) -> dict[str, object]:
    trained = [(c, c.readings.training) for c in cells if c.readings.training is not None]
    links = [(str(c.repetition), f"../{c.path}/result.json") for c in cells]
    return {
        "world": world,
        "encoder": encoder,
        "taught": task,
        "epochs": Spread.of([t.epochs for _, t in trained]),
        "validation accuracy": Spread.of([t.history[-1]["accuracy"] for _, t in trained]),
        "test accuracy": over_repetitions(
            [_sure(t.test_accuracy, c.readings.recovery.n_test) for c, t in trained]
        ),
        "seconds of training": Spread.of([t.seconds for _, t in trained]),
        "cells": Links(tuple(links)),
    }


def _sure(accuracy: float, n: int) -> Estimate:
    """A share of n test images, with the interval of a binomial."""
    arm = 1.96 * (accuracy * (1 - accuracy) / n) ** 0.5
    return Estimate(accuracy, max(0.0, accuracy - arm), min(1.0, accuracy + arm))


def _world_section(world: str, about: WorldDescription, pictures: NDArray[Any]) -> Section:
    captions = [f"{factor.name} {level}" for factor in about.factors for level in factor.shown]
    figure = replace(
        image_grid(_channels_last(pictures), captions=captions),
        name=f"images-{world}",
        title=f"{world}: each factor over its levels",
        caption="Each factor from its first to its last level, the others held.",
    )
    return Section(
        heading=f"The world: {world}",
        lead=f"{about.images:,} images: "
        + ", ".join(f"{f.name} {f.size} ({f.kind})" for f in about.factors)
        + ".",
        figures=(figure,),
    )


def _channels_last(images: NDArray[Any]) -> NDArray[Any]:
    """As they are drawn: (n, h, w) grey, (n, h, w, 3) colour."""
    return images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)


def cell_page(run: Run, result: CellResult) -> Page:
    """The page of one cell."""
    config, readings = from_dict(CellConfig, run.config), result.readings
    taught = "" if config.encoder == PIXELS else f", taught the {config.task}"
    images = "" if readings is None else f", {readings.images:,} images"
    return Page(
        title=f"{config.world}, {NAMES[config.encoder]}{taught}",
        subtitle="One cell of `identikit reproduce dislib`, repetition "
        f"{config.repetition}{images}",
        headline=result.headline,
        findings=result.findings,
        sections=() if readings is None else (_factor_section(readings.recovery),),
        provenance=provenance(run),
    )


def _factor_section(recovery: Recovery) -> Section:
    columns = {
        "factor": [score.name for score in recovery.factors],
        "r": [score.extras["r"] for score in recovery.factors],
    }
    return Section(
        heading="Factors",
        lead="Fitted on training images, scored on test images.",
        figures=tuple(recovery_figures(recovery).values()),
        tables=(Table(caption="Pearson's r by the paper's protocol", frame=pd.DataFrame(columns)),),
    )
