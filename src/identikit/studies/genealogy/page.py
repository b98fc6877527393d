"""The pages of the genealogy: the matrix of what was recovered beside what was predicted."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from identikit.core.estimate import Spread, format_number
from identikit.report.figures import Figure, matrix, training_curves
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.genealogy.result import (
    NAMES,
    CellRecord,
    CellResult,
    GenealogyResult,
    Line,
    mean_of,
)
from identikit.studies.pages import assumption_frame, provenance


def genealogy_page(run: Run, result: GenealogyResult) -> Page:
    """The page of a saved `identikit reproduce genealogy` run."""
    lines = result.lines
    return Page(
        title="The genealogy: what each objective recovers in each world",
        subtitle=f"{len({line.world for line in lines})} worlds, "
        f"{len({line.objective for line in lines})} objectives, {run.config['seeds']} seeds, "
        f"{run.config['dim']} latents.",
        headline=result.headline,
        findings=result.findings,
        sections=(
            Section(
                heading="World by objective",
                lead="Predicted is the score at the objective's own optimum, recovered the same "
                "score after training. It forgives what the objective's theory leaves open there: "
                "a scaled rotation, an affine map, or order and a map of each component.",
                figures=(
                    _figure(lines, "predicted", lambda result: result.predicted),
                    _figure(lines, "recovered", lambda result: result.recovered.value),
                ),
            ),
            Section(
                heading="Every number",
                lead="All scores of every cell, held out; mean and standard deviation over seeds "
                "where there are several.",
                tables=tuple(
                    cell_table(world, [line for line in lines if line.world == world])
                    for world in dict.fromkeys(line.world for line in lines)
                ),
                notes=(
                    "The excess is in the objective's own loss: nats, but for VICReg. It is empty "
                    "where the optimum is not known.",
                    "MCC is the mean correlation of each latent with one column of h, before and "
                    "after a map of that column.",
                ),
            ),
            *_assumptions(result),
            *_failures(result),
        ),
        provenance=provenance(run),
    )


def cell_page(run: Run, result: CellResult) -> Page:
    """The page of a saved cell."""
    return Page(
        title=f"{run.config['world']}: {NAMES[run.config['objective']]}",
        subtitle=f"{run.config['dim']} latents, h of {result.dim} dimensions.",
        headline=result.headline,
        findings=result.findings,
        sections=(
            Section(
                heading="Assumptions",
                lead="Held against the world by its own numbers.",
                tables=(Table(caption="Assumptions", frame=assumption_frame(result.assumptions)),),
            ),
            Section(
                heading="Training",
                lead="The loss, above the objective's own optimum where that is known.",
                figures=(training_curves(pd.DataFrame(list(result.history))),),
            ),
        ),
        provenance=provenance(run),
    )


def _figure(
    lines: tuple[Line, ...], quantity: str, value: Callable[[CellResult], float | None]
) -> Figure:
    worlds = list(dict.fromkeys(line.world for line in lines))
    objectives = list(dict.fromkeys(line.objective for line in lines))
    values = np.full((len(worlds), len(objectives)), math.nan)
    for line in lines:
        number = mean_of([value(result) for result in line.results])
        if number is not None:
            values[worlds.index(line.world), objectives.index(line.objective)] = number
    figure = matrix(
        values,
        rows=worlds,
        columns=[NAMES[objective] for objective in objectives],
        labels=("world", "objective"),
        quantity=f"{quantity} score",
    )
    return replace(figure, name=quantity, title=quantity.capitalize())


def cell_table(world: str, lines: list[Line]) -> Table:
    """Every number of the cells of one world."""

    def over(line: Line, pick: Callable[[CellResult], float | None]) -> object:
        values = [pick(result) for result in line.results]
        known = [value for value in values if value is not None]
        return Spread.of(known) if known else None

    columns: dict[str, list[object]] = {
        "objective": [NAMES[line.objective] for line in lines],
        "score": [line.finding.measure for line in lines],
        "predicted": [line.finding.predicted for line in lines],
        "recovered": [line.finding.recovered for line in lines],
        "excess": [over(line, lambda r: r.excess) for line in lines],
        "affine R²": [over(line, lambda r: r.affine_r2.value) for line in lines],
        "Procrustes R²": [over(line, lambda r: r.procrustes_r2.value) for line in lines],
        "MCC": [over(line, lambda r: r.mcc.value) for line in lines],
        "MCC after maps": [over(line, lambda r: r.mcc_mapped.value) for line in lines],
        "x itself": [over(line, lambda r: r.identity_r2) for line in lines],
        "1 / temperature": [over(line, lambda r: r.inverse_temperature) for line in lines],
        "dimensions of h": [line.results[0].dim for line in lines],
        "seconds": [over(line, lambda r: r.seconds) for line in lines],
    }
    return Table(caption=world, frame=pd.DataFrame(columns).astype(object))


def _assumptions(result: GenealogyResult) -> tuple[Section, ...]:
    frames = []
    for line in result.lines:
        frame = assumption_frame(line.results[0].assumptions)
        frame.insert(0, "cell", f"{line.world}: {NAMES[line.objective]}")
        frames.append(frame)
    if not frames:
        return ()
    return (
        Section(
            heading="Assumptions",
            lead="Each held against the world of the first seed by its own numbers.",
            tables=(Table(caption="Assumptions", frame=pd.concat(frames)),),
        ),
    )


def _failures(result: GenealogyResult) -> tuple[Section, ...]:
    failed = [cell for cell in result.cells if not isinstance(cell, CellRecord)]
    if not failed:
        return ()
    columns = {
        "cell": [f"{cell.world}: {NAMES[cell.objective]}, seed {cell.seed}" for cell in failed],
        "why": [cell.error for cell in failed],
    }
    return (
        Section(
            heading="Cells without a result",
            lead=f"{format_number(len(failed))} could not be made; the same command tries again.",
            tables=(Table(caption="Failures", frame=pd.DataFrame(columns)),),
        ),
    )
