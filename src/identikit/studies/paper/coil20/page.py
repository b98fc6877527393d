"""The page of a COIL-20 run: what theory promises of azimuth and object, and what is there."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from identikit.core.config import from_dict
from identikit.core.estimate import Estimate, fixed, format_number
from identikit.report.figures import (
    FactorBar,
    Figure,
    circle_scatter,
    factor_bars,
    image_grid,
    training_curves,
)
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.paper.coil20.config import Coil20Config, Objective
from identikit.studies.paper.coil20.result import CONTROLS, LABELS, TURNED, Coil20Result
from identikit.worlds.constants import AZIMUTHS, OBJECTS, STEP_DEG

Saved = dict[str, NDArray[Any]]


def coil20_page(run: Run, result: Coil20Result) -> Page:
    """The page of a saved `identikit reproduce coil20` run."""
    config, arrays = from_dict(Coil20Config, run.config), run.arrays()
    first = config.objectives[0]
    return Page(
        title="What cross-entropy keeps of real photographs",
        subtitle=f"COIL-20, 20 objects at 72 azimuths; arcs of {config.arc_degrees} degrees held "
        f"out in turn; {config.seeds * config.folds} encoders per objective",
        headline=result.headline,
        findings=result.findings,
        sections=(
            _azimuth_section(result, config),
            _by_object_section(result, first, arrays),
            _object_section(result),
            _training_section(result),
            _score_section(result),
        ),
        provenance=provenance(run),
    )


def _azimuth_section(result: Coil20Result, config: Coil20Config) -> Section:
    leaves = result.mean_symmetry
    bars = [
        _bar(result, objective, "azimuth", leaves if objective == TURNED else None)
        for objective in result.objectives
    ]
    interpolates = (
        "Neighbours of every held-out view are seen, so this asks for interpolation over a few "
        "degrees; longer arcs ask for more."
        if config.arc_degrees <= 2 * STEP_DEG
        else "Single azimuths would be easier: their neighbours look nearly the same."
    )
    notes = [
        f"Held out are arcs of {config.arc_degrees} degrees, together with "
        f"{config.margin_degrees} degrees on both sides of each, from encoders and linear probes "
        f"alike. {interpolates}",
        "Per object there are fewer images than dimensions, so linear probes are ridge regressions "
        "(or least squares, where it does as well); which, and how strong, is chosen by holding "
        "out the other arcs, inside the images that may be seen, for all features alike.",
        f"Symmetry leaves R² {format_number(leaves)}: what is reached if all views that look as "
        "near as the true neighbour could not be told apart. Fine differences can carry a probe "
        f"past it. Only of {LABELS[TURNED]} does theory predict it; of what is taught otherwise it "
        "promises no azimuth.",
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
) -> FactorBar:
    def get(name: str) -> Estimate | None:
        scores = result.scores.get(name)
        return None if scores is None else getattr(scores, score)

    return FactorBar(
        name=LABELS[objective],
        estimate=getattr(result.scores[objective], score),
        ceiling=ceiling,
        row_space=get(f"{objective}, head row space"),
        complement=get(f"{objective}, complement"),
        controls={name: getattr(result.scores[name], score) for name in CONTROLS},
    )


def _by_object_section(result: Coil20Result, objective: Objective, arrays: Saved) -> Section:
    by_object = {
        n: result.scores[n].azimuth_by_object for n in (*CONTROLS, *LABELS) if n in result.scores
    }
    bars = [
        FactorBar(
            name=f"object {o + 1}",
            estimate=by_object[objective][o],
            ceiling=result.symmetry[o] if objective == TURNED else None,
            controls={name: by_object[name][o] for name in CONTROLS},
        )
        for o in range(OBJECTS)
    ]
    columns: dict[str, list[object]] = {
        "object": [str(o + 1) for o in range(OBJECTS)],
        "symmetry leaves": list(result.symmetry),
    }
    for name, found in by_object.items():
        columns[LABELS.get(name, name)] = list(found)
    related = ", ".join(
        f"{LABELS.get(name, name)} {fixed(result.symmetry_correlations[name], 2)}"
        for name in by_object
    )
    captions = [
        f"{o + 1}: symmetry leaves {format_number(result.symmetry[o])}, found "
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
            replace(image_grid(arrays["fronts"], captions=captions), title="The objects"),
            _circle(arrays[f"{objective}/azimuth"]),
        ),
        tables=(
            Table(
                caption="R² of the azimuth, intervals over arcs of each object",
                frame=pd.DataFrame(columns),
            ),
        ),
        notes=(f"Correlation over objects of the R² found with what symmetry leaves: {related}.",),
    )


def _circle(azimuth: NDArray[Any]) -> Figure:
    """Where the first seed's encoders put every held-out view."""
    angle = np.tile(np.deg2rad(np.arange(1, AZIMUTHS + 1) * 360 / AZIMUTHS), OBJECTS)
    names = np.repeat([f"object {o + 1:02d}" for o in range(OBJECTS)], AZIMUTHS)
    return circle_scatter(angle, azimuth[0].astype(float), group=names)


def _object_section(result: Coil20Result) -> Section:
    bars = [_bar(result, objective, "object", None) for objective in result.objectives]
    return Section(
        heading="The object",
        lead="Share of unseen views whose object a linear probe names, among 20.",
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
            "less pixels": None if name == "pixels" else result.leads[name]["pixels"].azimuth,
            "one map for all": scores.pooled,
            "object": scores.object,
            "variance within objects": scores.within_share,
        }
        for name, scores in result.scores.items()
    ]
    return Section(
        heading="Every score",
        lead="On azimuths that neither encoder nor linear probe has seen.",
        tables=(Table(caption="95 % intervals from resampling objects", frame=pd.DataFrame(rows)),),
        notes=(
            "head row space: the part of h that theory speaks of; complement: outside; random "
            "part: a random subspace of h as large as the head row space.",
            "Intervals resample objects, not trainings; how much those differ, the lowest and the "
            "highest seed say.",
        ),
    )
