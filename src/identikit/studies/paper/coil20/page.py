"""The page of a COIL-20 run: what theory promises of azimuth and object, and what is there."""

from dataclasses import replace

import numpy as np
import pandas as pd

from identikit.core.estimate import Estimate, format_number
from identikit.report.figures import (
    FactorScore,
    Figure,
    circle_scatter,
    factor_bars,
    image_grid,
    training_curves,
)
from identikit.report.page import ComparisonRow, Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.paper.coil20.config import Objective
from identikit.studies.paper.coil20.result import CONTROLS, Coil20Result
from identikit.worlds.constants import AZIMUTHS, OBJECTS, STEP_DEG

LABELS: dict[str, str] = {
    "supervised": "Taught the object",
    "diet": "DIET, shifted draws",
    "diet-turned": "DIET, turned draws",
}


def coil20_page(run: Run) -> Page:
    """The page of a saved `identikit coil20` run."""
    result = Coil20Result.from_dict(run.result, run.arrays())
    config = result.config
    first = config.objectives[0]
    return Page(
        title="What cross-entropy keeps of real photographs",
        subtitle=f"COIL-20, 20 objects at 72 azimuths; arcs of {config.arc_degrees} degrees held "
        f"out in turn; {config.seeds * config.folds} encoders per objective",
        verdict=_verdict(result, first),
        verdict_tone="good" if result.difference(first, "pixels").low > 0 else "warning",
        rows=tuple(row for objective in config.objectives for row in _rows(result, objective)),
        sections=(
            _azimuth_section(result),
            _by_object_section(result, first),
            _object_section(result),
            _training_section(result),
            _score_section(result),
        ),
        provenance=provenance(run),
    )


def _verdict(result: Coil20Result, objective: Objective) -> str:
    scores, pixels = result.scores[objective], result.scores["pixels"]
    return (
        f"{LABELS[objective]}: on views never seen, the object can be read out linearly in "
        f"{_percent(scores.object)} of them (from pixels {_percent(pixels.object)}), the azimuth "
        f"{_against(result, objective, 'pixels')}: R² {format_number(scores.azimuth.value)} "
        f"against {format_number(pixels.azimuth.value)}."
    )


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.0f} %"


def _against(result: Coil20Result, name: str, control: str) -> str:
    """How the azimuth R² of one set of features stands to that of another."""
    gap = result.difference(name, control)
    if gap.low > 0:
        return f"better than from {control}"
    return f"worse than from {control}" if gap.high < 0 else f"about as well as from {control}"


def _gap(result: Coil20Result, name: str, control: str) -> str:
    gap = result.difference(name, control)
    return f"{_against(result, name, control)} (difference {gap})"


def _rows(result: Coil20Result, objective: Objective) -> list[ComparisonRow]:
    if objective == "supervised":
        return _supervised_rows(result)
    scores, turned = result.scores[objective], objective == "diet-turned"
    keeps = f"{100 * scores.within_share:.0f} % of the variance of h lies within objects"
    if not turned:
        explained = (
            f"Images must be told apart, so the azimuth has to stay ({keeps}), but nothing says "
            f"along which lines. Read out {_gap(result, objective, 'pixels')}."
        )
    else:
        explained = (
            "Draws from nearby azimuths make log p(label | view) a multiple of cos(angle to the "
            "label's view), so theory asks for cosine and sine to stand linearly in h, as far as "
            f"symmetry lets them be told. Read out {_gap(result, objective, 'pixels')}. Theory "
            "speaks of the optimum and of views like those seen, not of arcs never shown."
        )
    return [
        ComparisonRow(
            quantity=f"Azimuth of each object (R²). {LABELS[objective]}",
            predicted=float(result.symmetry.mean()) if turned else None,
            recovered=scores.azimuth,
            explained=explained,
        )
    ]


def _supervised_rows(result: Coil20Result) -> list[ComparisonRow]:
    whole, pixels = result.scores["supervised"], result.scores["pixels"]
    ranks = result.training["supervised"].ranks
    label = LABELS["supervised"]
    rows = [
        ComparisonRow(
            quantity=f"Object (accuracy). {label}",
            predicted=1.0,
            recovered=whole.object,
            explained="What the loss asks for: no two objects share a view. What is missing are "
            f"views far from those seen; pixels reach {_percent(pixels.object)}.",
        ),
        ComparisonRow(
            quantity=f"Dimensions of h that theory covers. {label}",
            predicted=min(OBJECTS - 1, result.config.dim),
            recovered=float(np.mean(ranks)),
            explained="The head sees h through the differences of its 20 rows only.",
        ),
    ]
    if "supervised, covered" in result.scores:
        part = result.scores["supervised, random part"]
        rows.append(
            ComparisonRow(
                quantity=f"Azimuth of each object, covered part of h (R²). {label}",
                predicted=0.0,
                recovered=result.scores["supervised, covered"].azimuth,
                explained="At the optimum this part depends on the object alone, so none of the "
                "azimuth is guaranteed: what is there is inductive bias. A random part of h of "
                f"the same size gives {part.azimuth}.",
            )
        )
    rows += [
        ComparisonRow(
            quantity=f"Azimuth of each object, whole h (R²). {label}",
            predicted=None,
            recovered=whole.azimuth,
            explained=f"Read out {_gap(result, 'supervised', 'pixels')}. The loss asks to forget "
            f"the azimuth: the share of variance within objects falls from "
            f"{100 * pixels.within_share:.0f} % in pixels to {100 * whole.within_share:.0f} % "
            "in h.",
        ),
        ComparisonRow(
            quantity=f"Azimuth, one map for all objects (R²). {label}",
            predicted=None,
            recovered=whole.pooled,
            explained="Each object counts its azimuth from a front of its own; nothing makes "
            f"them agree. Pixels: {pixels.pooled}.",
        ),
    ]
    return rows


def _azimuth_section(result: Coil20Result) -> Section:
    leaves = float(result.symmetry.mean())
    bars = [_bar(result, objective, "azimuth", leaves) for objective in result.config.objectives]
    config = result.config
    interpolates = (
        "Neighbours of every held-out view are seen, so this asks for interpolation over a few "
        "degrees; longer arcs ask for more."
        if config.arc_degrees <= 2 * STEP_DEG
        else "Single azimuths would be easier: their neighbours look nearly the same."
    )
    notes = [
        f"Held out are arcs of {config.arc_degrees} degrees, together with "
        f"{config.margin_degrees} degrees on both sides of each, from encoders and read-outs "
        f"alike. {interpolates}",
        "Per object there are fewer images than dimensions, so read-outs are ridge regressions "
        "(or least squares, where it does as well); which, and how strong, is chosen by holding "
        "out the other arcs, inside the images that may be seen, for all features alike.",
        "The prediction is what symmetry leaves: R² if all views that look as near as the true "
        "neighbour could not be told apart. Fine differences can carry a read-out past it.",
    ]
    return Section(
        heading="The azimuth",
        lead="How linearly the azimuth of each object stands in what was learned (mean over "
        "objects; intervals from resampling objects), beside features that learned nothing.",
        figures=(
            replace(factor_bars(bars, score="R²"), name="azimuth", title="Azimuth of each object"),
        ),
        notes=tuple(notes),
    )


def _bar(
    result: Coil20Result, objective: Objective, score: str, ceiling: float | None
) -> FactorScore:
    def get(name: str) -> Estimate | None:
        scores = result.scores.get(name)
        return None if scores is None else getattr(scores, score)

    return FactorScore(
        name=LABELS[objective],
        estimate=getattr(result.scores[objective], score),
        ceiling=ceiling,
        row_space=get(f"{objective}, head row space"),
        complement=get(f"{objective}, complement"),
        controls={name: getattr(result.scores[name], score) for name in CONTROLS},
    )


def _by_object_section(result: Coil20Result, objective: Objective) -> Section:
    by_object = {
        n: result.scores[n].azimuth_by_object for n in (*CONTROLS, *LABELS) if n in result.scores
    }
    bars = [
        FactorScore(
            name=f"object {o + 1}",
            estimate=by_object[objective][o],
            ceiling=float(result.symmetry[o]),
            controls={name: by_object[name][o] for name in CONTROLS},
        )
        for o in range(OBJECTS)
    ]
    columns: dict[str, list[object]] = {
        "object": [str(o + 1) for o in range(OBJECTS)],
        "predicted": result.symmetry.tolist(),
    }
    for name, found in by_object.items():
        columns[LABELS.get(name, name)] = list(found)
    related = ", ".join(
        f"{LABELS.get(name, name)} {result.symmetry_correlation(name):.2f}" for name in by_object
    )
    captions = [
        f"{o + 1}: symmetry leaves {format_number(float(result.symmetry[o]))}, found "
        f"{format_number(by_object[objective][o].value)}"
        for o in range(OBJECTS)
    ]
    return Section(
        heading="Each object",
        lead="Cups, cars and boxes look much the same from two sides or more, and their azimuth "
        f"cannot be told. {LABELS[objective]}:",
        figures=(
            replace(
                factor_bars(bars, score="R²"), name="objects", title="Azimuth, object by object"
            ),
            replace(image_grid(result.fronts.numpy(), captions=captions), title="The objects"),
            _circle(result, objective),
        ),
        tables=(
            Table(
                caption="R² of the azimuth, intervals over arcs of each object",
                frame=pd.DataFrame(columns),
            ),
        ),
        notes=(f"Correlation over objects between predicted and found R²: {related}.",),
    )


def _circle(result: Coil20Result, objective: Objective) -> Figure:
    """Where the first seed's encoders put every held-out view."""
    angle = np.tile(np.deg2rad(np.arange(1, AZIMUTHS + 1) * 360 / AZIMUTHS), OBJECTS)
    names = np.repeat([f"object {o + 1:02d}" for o in range(OBJECTS)], AZIMUTHS)
    point = result.readouts[objective].azimuth[0].double().numpy()
    return circle_scatter(angle, point, group=names)


def _object_section(result: Coil20Result) -> Section:
    bars = [_bar(result, objective, "object", None) for objective in result.config.objectives]
    return Section(
        heading="The object",
        lead="Share of unseen views whose object a linear read-out names, among 20.",
        figures=(
            replace(
                factor_bars([replace(bar, chance=1 / OBJECTS) for bar in bars], score="accuracy"),
                name="object",
                title="Object",
            ),
        ),
    )


def _training_section(result: Coil20Result) -> Section:
    figures = []
    for objective, training in result.training.items():
        curves = pd.concat(map(pd.DataFrame, training.histories)).groupby("step", as_index=False)
        figure = training_curves(curves.mean())
        figures.append(
            replace(figure, name=f"training-{objective}", title=f"Training. {LABELS[objective]}")
        )
    return Section(
        heading="Training",
        lead="Mean over encoders; the accuracy is the head's own, on views not seen.",
        figures=tuple(figures),
    )


def _score_section(result: Coil20Result) -> Section:
    rows = [
        {
            "features": name,
            "azimuth R²": scores.azimuth,
            "lowest seed": min(scores.azimuth_by_seed),
            "highest seed": max(scores.azimuth_by_seed),
            "less pixels": None if name == "pixels" else result.difference(name, "pixels"),
            "one map for all": scores.pooled,
            "object": scores.object,
            "variance within objects": scores.within_share,
        }
        for name, scores in result.scores.items()
    ]
    return Section(
        heading="Every score",
        lead="On azimuths that neither encoder nor read-out has seen.",
        tables=(Table(caption="95 % intervals from resampling objects", frame=pd.DataFrame(rows)),),
        notes=(
            "covered: inside the row space of the head, which theory speaks of; rest: outside; "
            "random part: a random subspace of h as large as the covered one.",
            "Intervals resample objects, not trainings; how much those differ, the lowest and the "
            "highest seed say.",
        ),
    )
