"""The pages of superposition: every method beside what is predicted, and curves over K / d."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from identikit.core.estimate import Estimate
from identikit.report.figures import Curve, Figure, sweep
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.superposition.methods import PartScores
from identikit.studies.superposition.result import (
    AMORTISED,
    CODES,
    ORACLE,
    PROBE,
    CellResult,
    FailedCell,
    Line,
    MethodResult,
    SuperpositionResult,
)

DRAWN = (PROBE, AMORTISED, CODES, ORACLE)
"""In figures, which have four colours; tables have all."""


def superposition_page(run: Run, result: SuperpositionResult) -> Page:
    """The page of a saved `identikit reproduce superposition` run."""
    lines = result.lines
    split = [line for line in lines if line.first.supports == "halves" and not line.first.network]
    return Page(
        title="Superposition: more sparse factors than dimensions",
        subtitle=f"{run.config['dim']} dimensions, {run.config['seeds']} seeds from "
        f"{run.config['first_seed']} on.",
        headline=result.headline,
        findings=result.findings,
        sections=(
            Section(
                heading="Over K / d",
                lead="Mean |r| with the factors over factors per dimension, of combinations that "
                "were seen and of those that never were. Dashed: the best linear map, and 1 for "
                "the true atoms below the weak threshold.",
                figures=tuple(
                    curves([line for line in split if line.first.active == active], new=new)
                    for active in dict.fromkeys(line.first.active for line in split)
                    for new in (False, True)
                ),
            ),
            Section(
                heading="Every number",
                lead="Mean over seeds with its 95 % interval (Student's).",
                tables=tuple(numbers(line) for line in lines),
                notes=(
                    "MCC: mean |r| of each factor with the component assigned to it on training "
                    "rows, 0 without one. Support: share of the factors there among as many "
                    "largest predictions; whole: share of samples of which that is all.",
                ),
            ),
            *_failures(result),
        ),
        provenance=provenance(run),
    )


def cell_page(run: Run, result: CellResult) -> Page:
    """The page of a saved cell."""
    return Page(
        title="Superposition: one world",
        subtitle=f"{run.config['factors']} factors in {run.config['dim']} dimensions, "
        f"{run.config['active']} at once.",
        headline=result.headline,
        findings=result.findings,
        sections=(),
        provenance=provenance(run),
    )


def curves(lines: Sequence[Line], *, new: bool) -> Figure:
    """MCC of each method over K / d, of what was seen or of new combinations."""

    def part(method: MethodResult) -> PartScores:
        return method.held_out if new and method.held_out else method.seen

    def curve(name: str) -> Curve:
        return Curve(
            name=name,
            x=[line.first.factors / line.first.dim for line in lines],
            recovered=[
                _or_nan(line.over(lambda result: part(result.of(name)).mcc.value)) for line in lines
            ],
            ceiling=[_ceiling(line, name, new=new) for line in lines],
        )

    active = lines[0].first.active
    what = "never seen together" if new else "seen"
    figure = sweep(
        [curve(name) for name in DRAWN], x_label="factors per dimension", y_label="MCC", log_x=True
    )
    return replace(
        figure,
        name=f"k{active}-{'new' if new else 'seen'}",
        title=f"{active} factors at once, {what}",
    )


def _ceiling(line: Line, name: str, *, new: bool) -> float:
    results = [record.result for record in line.records]
    if name == ORACLE:
        return 1.0 if line.first.active < results[0].threshold else math.nan
    if name == PROBE and not new:
        return sum(result.linear_mcc or math.nan for result in results) / len(results)
    return math.nan


def _or_nan(value: Estimate | float | None) -> Estimate | float:
    return math.nan if value is None else value


def numbers(line: Line) -> Table:
    """Every score of every method in one world, over seeds."""
    names = [method.name for method in line.first.result.methods]

    def over(name: str, value: Callable[[MethodResult], float | None]) -> object:
        return line.over(lambda result: value(result.of(name)))

    def column(value: Callable[[MethodResult], float | None]) -> list[object]:
        return [over(name, value) for name in names]

    def new(value: Callable[[PartScores], float]) -> list[object]:
        return column(lambda method: None if method.held_out is None else value(method.held_out))

    columns: dict[str, list[object]] = {
        "method": [*names],
        "MCC": column(lambda method: method.seen.mcc.value),
        "R²": column(lambda method: method.seen.r2.value),
        "support": column(lambda method: method.seen.support),
        "whole": column(lambda method: method.seen.whole),
        "MCC, new": new(lambda part: part.mcc.value),
        "R², new": new(lambda part: part.r2.value),
        "support, new": new(lambda part: part.support),
        "cosine of atoms": column(lambda method: method.cosine),
    }
    filled = {
        name: values for name, values in columns.items() if any(v is not None for v in values)
    }
    return Table(caption=line.first.world, frame=pd.DataFrame(filled).astype(object))


def _failures(result: SuperpositionResult) -> tuple[Section, ...]:
    failed = [cell for cell in result.cells if isinstance(cell, FailedCell)]
    if not failed:
        return ()
    columns = {
        "cell": [f"{cell.world}, seed {cell.seed}" for cell in failed],
        "why": [cell.error for cell in failed],
    }
    return (
        Section(
            heading="Cells without a result",
            lead="The same command tries them again.",
            tables=(Table(caption="Failures", frame=pd.DataFrame(columns)),),
        ),
    )
