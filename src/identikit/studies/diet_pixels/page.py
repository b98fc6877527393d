"""The pages of the study: rendered worlds with their excess over steps, photographs as bars."""

from dataclasses import replace
from statistics import fmean

import pandas as pd

from identikit.core.estimate import Estimate, format_number
from identikit.report.figures import (
    BarSeries,
    Figure,
    Points,
    grouped_bars,
    points,
    training_curves,
)
from identikit.report.page import Page, Section, Table
from identikit.report.style import CONTROL, CURVES
from identikit.runs.store import Run
from identikit.studies.diet_pixels.config import PHOTOGRAPHS
from identikit.studies.diet_pixels.result import (
    DietPixelsResult,
    FailedTraining,
    Line,
    PhotographsResult,
)
from identikit.studies.genealogy.page import cell_table
from identikit.studies.genealogy.result import NAMES, FailedCell
from identikit.studies.genealogy.result import Line as WorldLine
from identikit.studies.pages import provenance


def diet_pixels_page(run: Run, result: DietPixelsResult) -> Page:
    """The page of a saved `identikit reproduce diet-pixels` run."""
    return Page(
        title="Does DIET find factors in pixels?",
        subtitle=f"Budget {run.config['budget']}; seeds 0 to {_last_seed(result)}.",
        headline=result.headline,
        findings=result.findings,
        sections=sections_of(result),
        provenance=provenance(run),
    )


def sections_of(result: DietPixelsResult) -> tuple[Section, ...]:
    """Rendered worlds, a section for each set and what is held out of it, and what failed."""
    return (*_worlds(result), *_photographs(result), *_failures(result))


def photographs_page(run: Run, result: PhotographsResult) -> Page:
    """The page of a saved training on photographs."""
    curve = (training_curves(pd.DataFrame(list(result.history))),) if result.history else ()
    return Page(
        title=f"{PHOTOGRAPHS[run.config['data']]}: {run.config['condition']}",
        subtitle=f"New {run.config['held_out']}, seed {run.config['seed']}.",
        headline=result.headline,
        findings=result.findings,
        sections=(Section(heading="Training", lead="Its loss.", figures=curve),),
        provenance=provenance(run),
    )


def _last_seed(result: DietPixelsResult) -> int:
    made = [record.seed for line in result.lines for record in line.records]
    made += [record.seed for line in result.worlds.lines for record in line.records]
    return max(made, default=0)


def _worlds(result: DietPixelsResult) -> tuple[Section, ...]:
    lines = result.worlds.lines
    if not lines:
        return ()
    worlds = dict.fromkeys(line.world for line in lines)
    renderers = dict.fromkeys(world.removesuffix("-pairs") for world in worlds)
    return (
        Section(
            heading="Rendered worlds",
            lead="Latents on the sphere move the factors of rendered images, drawn afresh for each "
            "step: around 40 cluster vectors (sprites, rooms), or in pairs (sprites-pairs, "
            "rooms-pairs). The excess is the loss above that of the objective's own optimum.",
            figures=tuple(
                _excess(name, [line for line in lines if line.world.startswith(name)])
                for name in renderers
            ),
            tables=tuple(
                cell_table(world, [line for line in lines if line.world == world])
                for world in worlds
            ),
        ),
    )


def _excess(renderer: str, lines: list[WorldLine]) -> Figure:
    groups = []
    for line in lines:
        known = [[r for r in res.history if "excess_loss" in r] for res in line.results]
        at = [int(record["step"]) for record in known[0]]
        means = [fmean(r["excess_loss"] for r in some) for some in zip(*known, strict=True)]
        name = f"{line.world}: {NAMES[line.objective]}"
        words = [f"{name}, step {step}" for step in at]
        groups.append(Points(name=name, x=at, y=means, words=words))
    figure = points(groups, x_label="step", y_label="excess loss (nats)")
    return replace(
        figure,
        name=f"excess-{renderer}",
        title=f"{renderer}: excess over steps",
        caption="Mean over seeds of the loss above the objective's own optimum, which has 0.",
    )


def _photographs(result: DietPixelsResult) -> tuple[Section, ...]:
    places = dict.fromkeys(line.place for line in result.lines)
    return tuple(
        Section(
            heading=place,
            lead="Read out by ridge regression of images that neither encoder nor linear probe has "
            "seen; mean over seeds with its 95 % interval.",
            figures=(_bars(place, lines),),
            tables=(Table(caption=place, frame=_frame(lines)),),
        )
        for place in places
        for lines in ([line for line in result.lines if line.place == place],)
    )


def _bars(place: str, lines: list[Line]) -> Figure:
    factors = lines[0].factors
    series = [
        BarSeries(
            label=line.condition,
            values=tuple(_estimate(line.score(factor)) for factor in factors),
            colour=CURVES[k % len(CURVES)],
        )
        for k, line in enumerate(lines)
    ]
    series += [
        BarSeries(
            label=name,
            values=tuple(_estimate(lines[0].score(factor, name)) for factor in factors),
            colour=CONTROL,
            filled=name == "pixels",
        )
        for name in lines[0].controls
    ]
    figure = grouped_bars(factors, series, score="Score", chance=0.0)
    return replace(figure, name=f"{lines[0].data}-{lines[0].held_out}", title=place)


def _frame(lines: list[Line]) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for factor in lines[0].factors:
        first = lines[0].records[0].result
        row: dict[str, object] = {
            "factor": f"{factor} ({first.measures[factor]})",
            "chance": format_number(first.chances[factor]),
        }
        row |= {line.condition: line.score(factor) for line in lines}
        row |= {name: lines[0].score(factor, name) for name in lines[0].controls}
        rows.append(row)
    return pd.DataFrame(rows).astype(object)


def _estimate(score: Estimate | float) -> Estimate:
    """A number without an interval as one that has none."""
    return score if isinstance(score, Estimate) else Estimate(score, score, score)


def _failures(result: DietPixelsResult) -> tuple[Section, ...]:
    failed = {r.label: r.error for r in result.photographs if isinstance(r, FailedTraining)}
    failed |= {
        f"{cell.world}, {NAMES[cell.objective]}, seed {cell.seed}": cell.error
        for cell in result.worlds.cells
        if isinstance(cell, FailedCell)
    }
    if not failed:
        return ()
    frame = pd.DataFrame({"training": list(failed), "why": list(failed.values())})
    return (
        Section(
            heading="Trainings without a result",
            lead="The same command tries again.",
            tables=(Table(caption="Failures", frame=frame),),
        ),
    )
