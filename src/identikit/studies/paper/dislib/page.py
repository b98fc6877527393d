"""The page of a DisLib table: Table 4 by the paper's protocol and by ours, and what explains it."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from identikit.core.estimate import Estimate, Spread, format_number
from identikit.probing.recovery import Recovery
from identikit.report.figures import (
    FactorScore,
    Figure,
    Points,
    factor_bars,
    image_grid,
    matrix,
    points,
)
from identikit.report.page import ComparisonRow, Page, Section, Table
from identikit.report.tables import Links
from identikit.runs.store import Run
from identikit.studies.pages import provenance, recovery_figures
from identikit.studies.paper.dislib.config import BUDGETS
from identikit.studies.paper.dislib.summary import (
    Line,
    above_chance,
    finished,
    lines_of,
    over_repetitions,
    transfer,
)

NAMES = {"pixels": "pixels", "linear": "linear", "mlp": "MLP", "resnet18": "ResNet-18"}


def dislib_page(run: Run) -> Page:
    """The page of a saved `identikit reproduce dislib` run."""
    lines = lines_of(run.result["cells"])
    worlds = list(dict.fromkeys(line.world for line in lines))
    several = len({line.task for line in lines}) > len(worlds)
    pictures = run.arrays()
    return Page(
        title="DisLib: taught one factor, what of the others?",
        subtitle=_budget(run),
        verdict=_verdict(lines),
        verdict_tone="good" if any(_changed(line) > 0 for line in lines) else "warning",
        rows=tuple(row for world in worlds for row in _rows(run, _first(lines, world))),
        sections=(
            *(_table_section(run, _first(lines, world)) for world in worlds),
            *((_task_section(lines, worlds),) if several else ()),
            *_transfer_section(lines),
            *(_analogy_section(_first(lines, world)) for world in worlds),
            _training_section(run),
            *(
                _world_section(world, run.result["worlds"][world], pictures[world])
                for world in worlds
            ),
        ),
        provenance=provenance(run),
    )


def _first(lines: Sequence[Line], world: str) -> list[Line]:
    """The lines of a world's first task."""
    own = [line for line in lines if line.world == world]
    return [line for line in own if line.task == own[0].task]


def _encoders(lines: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(line.encoder for line in lines))


def _widest(lines: Sequence[Line]) -> list[Line]:
    """The lines of the last encoder that learned."""
    learned = [line.encoder for line in lines if line.untrained is not None]
    last = learned[-1] if learned else lines[-1].encoder
    return [line for line in lines if line.encoder == last]


def _line(lines: Sequence[Line], encoder: str, factor: str) -> Line | None:
    found = [line for line in lines if (line.encoder, line.factor) == (encoder, factor)]
    return found[0] if found else None


def _budget(run: Run) -> str:
    cells = finished(run.result["cells"])
    budget = run.config["budget"]
    words = f"Budget {budget}: "
    parts = []
    for world in dict.fromkeys(cell["world"] for cell in cells):
        one = next(cell for cell in cells if cell["world"] == world)
        side = one["shape"][-1]
        share = "all" if one["images"] == one["of"] else f"{one['images']:,} of"
        parts.append(f"{world}, {share} {one['of']:,} images at {side} x {side} pixels")
    epochs = run.config["epochs"] or BUDGETS[budget].epochs
    repetitions = run.config["repetitions"] or BUDGETS[budget].repetitions
    return (
        words + "; ".join(parts) + f"; up to {epochs} epochs, repetitions: {repetitions}"
        + (". The protocol has all images at their size, up to 100 epochs and ten repetitions."
           if budget != "full" else ".")
    )  # fmt: skip


def _verdict(lines: Sequence[Line]) -> str:
    words = []
    for world in dict.fromkeys(line.world for line in lines):
        own = _first(lines, world)
        main = [line for line in _widest(own) if line.factor != line.task]
        higher = [line.factor for line in main if _changed(line) > 0]
        lower = [line.factor for line in main if _changed(line) < 0]
        words.append(
            f"{world}: taught the {own[0].task}, {NAMES[main[0].encoder]} has "
            f"{', '.join(higher) or 'no other factor'} more linearly than before training, "
            f"{', '.join(lower) or 'none'} less"
        )
    return "; ".join(words) + "."


def _changed(line: Line) -> int:
    """1 if training made a factor more linear, -1 if less, 0 if that cannot be told."""
    if line.gained is not None:
        return int(line.gained.low > 0) - int(line.gained.high < 0)
    if line.untrained is None:
        return 0
    twin = line.untrained
    return int(line.score.low > twin.high) - int(line.score.high < twin.low)


def _rows(run: Run, lines: list[Line]) -> list[ComparisonRow]:
    main = _widest(lines)
    encoder, task, world = main[0].encoder, main[0].task, main[0].world
    cells = [
        cell
        for cell in finished(run.result["cells"])
        if (cell["world"], cell["encoder"], cell["task"]) == (world, encoder, task)
    ]
    if cells[0]["training"] is None:
        return []
    classes = cells[0]["sizes"][[line.factor for line in main].index(task)]
    covered = [line for line in main if line.factor != task and line.row_space is not None]
    return [
        ComparisonRow(
            quantity=f"{world}: dimensions of h that theory covers ({NAMES[encoder]})",
            predicted=min(classes - 1, cells[0]["recovery"]["dim"]),
            recovered=", ".join(dict.fromkeys(str(c["covered_dimensions"]) for c in cells)),
            explained=f"The head of {classes} classes sees h through the differences of its rows "
            f"only, {classes - 1} of {cells[0]['recovery']['dim']} dimensions.",
        ),
        ComparisonRow(
            quantity=f"{world}: other factors from the covered part, mean score",
            predicted=0.0,
            recovered=fmean(_gained(line, line.row_space) for line in covered if line.row_space),
            explained=f"At the optimum the covered part depends on the {task} alone, and the "
            "factors of a grid are independent: none of the others is guaranteed. Score above "
            "chance.",
        ),
        *(_row(line, lines) for line in main),
    ]


def _gained(line: Line, estimate: Estimate) -> float:
    return above_chance(estimate.value, line.chance)


def _row(line: Line, lines: list[Line]) -> ComparisonRow:
    pixels = _line(lines, "pixels", line.factor)
    beside = [
        f"{name} {format_number(found.value)}"
        for name, found in (
            ("covered part", line.row_space),
            ("complement", line.complement),
            ("untrained twin", line.untrained),
            ("pixels", pixels.score if pixels else None),
        )
        if found is not None
    ]
    return ComparisonRow(
        quantity=f"{line.world}: {line.factor} ({line.measure})",
        predicted=1.0 if line.factor == line.task else None,
        recovered=line.score,
        explained=f"{_why(line, pixels)} Beside it: {', '.join(beside)}.",
    )


def _why(line: Line, pixels: Line | None) -> str:
    if line.factor == line.task:
        return "The task: its classes must be told apart."
    if line.score.low <= line.chance:
        return "No better than chance."
    if line.untrained is None:
        return "Nothing was learned."
    if _changed(line) < 0:
        return "Less than before training, as the task does not ask for it: what is left is bias."
    if _changed(line) == 0:
        return "As well as before training: nothing was learned of it."
    if pixels is not None and line.score.value <= pixels.score.value:
        return "Learned, yet pixels have it as well: inductive bias, not guaranteed."
    return "More than before training and more than pixels: inductive bias, not guaranteed."


def _table_section(run: Run, lines: list[Line]) -> Section:
    world, task = lines[0].world, lines[0].task
    factors = list(dict.fromkeys(line.factor for line in lines))
    paper: dict[str, list[object]] = {"factor": list(factors)}
    ours: dict[str, list[object]] = {
        "factor": list(factors),
        "measure": [_measure(lines, factor) for factor in factors],
    }
    parts: dict[str, list[object]] = {"factor": list(factors)}
    for encoder in _encoders(lines):
        found = [_line(lines, encoder, factor) for factor in factors]
        name = NAMES[encoder]
        paper[name] = [line and line.r for line in found]
        ours[name] = [line and line.score for line in found]
        if encoder != "pixels":
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
        ),
    )


def _measure(lines: list[Line], factor: str) -> str:
    return next(line.measure for line in lines if line.factor == factor)


def _frame(columns: dict[str, list[object]]) -> pd.DataFrame:
    return pd.DataFrame(columns).astype(object)


def _learned(lines: list[Line]) -> list[list[Line]]:
    names = [name for name in _encoders(lines) if name != "pixels"]
    return [[line for line in lines if line.encoder == name] for name in names]


def _bars(lines: list[Line]) -> Figure:
    """Bars of one encoder; what pixels reach is in the tables."""
    world, encoder = lines[0].world, lines[0].encoder
    bars = [
        FactorScore(
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
    for own in [*_learned(lines), [line for line in lines if line.encoder == "pixels"]]:
        if own:
            columns: dict[str, list[object]] = {"factor": [line.factor for line in own]}
            for layer in own[0].analogies:
                if own[0].encoder != "pixels" or layer == "h":
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


def _training_section(run: Run) -> Section:
    groups: dict[tuple[str, str, str], list[Any]] = {}
    for cell in finished(run.result["cells"]):
        if cell["training"] is not None:
            key = (cell["world"], NAMES[cell["encoder"]], cell["task"])
            groups.setdefault(key, []).append(cell)
    rows = [
        {
            "world": world,
            "encoder": encoder,
            "taught": task,
            "epochs": Spread.of([c["training"]["epochs"] for c in cells]),
            "validation accuracy": Spread.of(
                [c["training"]["history"][-1]["accuracy"] for c in cells]
            ),
            "test accuracy": over_repetitions(
                [_sure(c["training"]["test_accuracy"], c) for c in cells]
            ),
            "seconds of training": Spread.of([c["training"]["seconds"] for c in cells]),
            "cells": Links(
                tuple((str(c["repetition"]), f"../{c['path']}/result.json") for c in cells)
            ),
        }
        for (world, encoder, task), cells in groups.items()
    ]
    failed = [cell for cell in run.result["cells"] if cell["error"] is not None]
    return Section(
        heading="Training",
        lead="Adam with a constant rate of 0.001 on the cross-entropy of the taught factor; it "
        "stops at 99.9 % validation accuracy.",
        tables=(Table(caption="Training", frame=pd.DataFrame(rows).astype(object)),),
        notes=tuple(
            f"{c['world']}, {c['encoder']}, {c['task']}, repetition {c['repetition']} failed: "
            f"{c['error']}"
            for c in failed
        ),
    )


def _sure(accuracy: float, cell: Any) -> Estimate:
    """A share of test images, with the interval of a binomial."""
    n = cell["recovery"]["n_test"]
    arm = 1.96 * (accuracy * (1 - accuracy) / n) ** 0.5
    return Estimate(accuracy, max(0.0, accuracy - arm), min(1.0, accuracy + arm))


def _world_section(world: str, about: dict[str, Any], pictures: NDArray[Any]) -> Section:
    factors = about["factors"]
    captions = [f"{factor['name']} {level}" for factor in factors for level in factor["shown"]]
    figure = replace(
        image_grid(_channels_last(pictures), captions=captions),
        name=f"images-{world}",
        title=f"{world}: each factor over its levels",
        caption="Each factor from its first to its last level, the others held.",
    )
    return Section(
        heading=f"The world: {world}",
        lead=f"{about['images']:,} images: "
        + ", ".join(f"{f['name']} {f['size']} ({f['kind']})" for f in factors)
        + ".",
        figures=(figure,),
    )


def _channels_last(images: NDArray[Any]) -> NDArray[Any]:
    """As they are drawn: (n, h, w) grey, (n, h, w, 3) colour."""
    return images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)


def cell_page(run: Run) -> Page:
    """The page of one cell."""
    recovery = Recovery.from_dict(run.result["recovery"])
    config = run.config
    return Page(
        title=f"{config['world']}, {NAMES[config['encoder']]}, taught the {config['task']}",
        subtitle=f"Repetition {config['repetition']}, {run.result['images']:,} images",
        verdict=f"One cell of `identikit reproduce dislib`; mean score {recovery.mean():.3f}.",
        verdict_tone="good",
        rows=tuple(
            ComparisonRow(
                quantity=f"{score.name} ({score.measure})",
                predicted=None,
                recovered=score.estimate,
                explained=f"Pearson's r by the paper's protocol: {score.extras['r']:.3f}.",
            )
            for score in recovery.factors
        ),
        sections=(
            Section(
                heading="Factors",
                lead="Fitted on training images, scored on test images.",
                figures=tuple(recovery_figures(recovery).values()),
            ),
        ),
        provenance=provenance(run),
    )
