"""The page of an unmixing: a card for each component, and each factor over its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from identikit.core.estimate import Estimate, fixed, format_cell
from identikit.report.figures import Figure, Points, matrix, picture, points
from identikit.report.page import Card, Page, Section, Table, Trend
from identikit.report.style import Picture
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.unmix.result import UnmixResult
from identikit.unmixing.findings import arbitrary

SCATTERED = 6
"""Factors that are drawn over their components."""
TRENDS = 6
"""Factors on a card, those of the largest |r|."""
PARTS = 5
"""Of the samples, that a trend has means of."""


_COMPONENTS = (
    "The least Gaussian one first; each has its longer tail above 0, or, where that is not clear, "
    "its largest weight on h. Components of one group can be turned into each other without a loss "
    "that shows. Correlation with its match: the least among other starts, and the median with 95 "
    "% of resamples of the rows."
)
_TRENDS = (
    "Cards show the mean of a component over the factors that it goes with most, level by level "
    "or over fifths of the samples, between -1 and 1 of its standard deviations."
)
_ATOMS = (
    "The most used atom first; codes are 0 or above. Beside each the least cosine with its match "
    "among other starts."
)


def unmix_page(run: Run, result: UnmixResult) -> Page:
    """The page of a saved `identikit unmix` run."""
    found = result.unmixing
    what = "the part of h that the head reads" if found.row_space else "h"
    return Page(
        title="Which components can be named?",
        subtitle=f"{len(found.components)} components of {what}, "
        f"{found.n_train + found.n_test:,} samples",
        headline=result.headline,
        findings=result.findings,
        sections=(*_factors(run.arrays(), result), _components(run.arrays(), result)),
        provenance=provenance(run),
    )


def _factors(arrays: Mapping[str, Any], result: UnmixResult) -> tuple[Section, ...]:
    found = result.unmixing
    if not found.factors:
        return ()
    index = {own.name: j for j, own in enumerate(found.components)}
    figures: list[Figure] = [found.plot(), _matrix(arrays, result)]
    for own in found.factors[:SCATTERED]:
        x = arrays[f"factor {own.name}"]
        y = arrays["components"][:, index[own.component]]
        group = Points(name=own.name, x=x.tolist(), y=y.tolist(), words=[""] * len(x))
        figure = points([group], x_label=own.name, y_label=own.component)
        figures.append(replace(figure, name=f"over-{index[own.component]}", caption=""))
    rows = [
        {
            "factor": own.name,
            "component": own.component,
            "|r|": own.correlation,
            "linear r": own.linear,
            "holds of it": own.held,
            arbitrary(found): own.random,
            "own axes": own.raw,
            "p (Holm)": own.p,
            "determined by its values": own.alone,
            "depends on": own.partner or None,
        }
        for own in found.factors
    ]
    return (
        Section(
            heading="Factors and their components",
            lead="Each factor has the component that goes with it on the samples fitted on, one to "
            f"one; |r| is of the others. {arbitrary(found).capitalize()}: what arbitrary "
            "components of the same features score; linear r is that of the best linear map of "
            "all of h.",
            figures=tuple(figures),
            tables=(
                Table(caption="Each factor", frame=pd.DataFrame(rows, dtype=object)),
                *_axes(found.axes),
            ),
        ),
    )


def _axes(axes: Mapping[str, Mapping[str, Estimate | float]]) -> tuple[Table, ...]:
    if not axes:
        return ()
    frame = pd.DataFrame({name: pd.Series(scores, dtype=object) for name, scores in axes.items()})
    frame.insert(0, "score", frame.index)
    caption = "InfoMEC and DCI of a Lasso, held out; 95 % by half-samples"
    return (Table(caption=caption, frame=frame),)


def _matrix(arrays: Mapping[str, Any], result: UnmixResult) -> Figure:
    found = result.unmixing
    names = [own.name for own in found.factors]
    y = arrays["components"]
    z = np.stack([arrays[f"factor {name}"] for name in names], axis=1)
    both = np.abs(np.corrcoef(y.T, z.T)[: y.shape[1], y.shape[1] :])
    figure = matrix(
        both.T,
        rows=names,
        columns=[own.name for own in found.components],
        labels=("factor", "component"),
        quantity="|r|",
    )
    return replace(figure, title="Every factor and every component")


def _components(arrays: Mapping[str, Any], result: UnmixResult) -> Section:
    found = result.unmixing
    cards = tuple(_card(arrays, result, j) for j in result.carded)
    lead = _ATOMS if found.method == "sparse" else _COMPONENTS
    return Section(
        heading="Components",
        lead=f"{lead} {_TRENDS}" if found.factors else lead,
        tables=(Table(caption="Each component", frame=found.to_frame()),),
        cards=cards,
        notes=tuple(f"{sentence}." for sentence in (*found.status, *result.notes)),
    )


def _card(arrays: Mapping[str, Any], result: UnmixResult, j: int) -> Card:
    found = result.unmixing
    own, y = found.components[j], arrays["components"][:, j]
    facts = {"determined": format_cell(own.alone)}
    if found.method == "sparse":
        facts["in use for"] = f"{own.contrast:.0%} of samples"
    if own.starts is not None:
        facts["other starts, least"] = format_cell(own.starts)
    if own.resamples is not None:
        facts["resamples"] = format_cell(own.resamples)
    trends = [_trend(f.name, arrays[f"factor {f.name}"], y) for f in found.factors]
    trends.sort(key=lambda found: -abs(found[0]))
    samples: dict[str, tuple[Picture | str, ...]] = {}
    if result.extremes:
        largest, smallest = (
            tuple(_sample(arrays, result, one) for one in end) for end in result.extremes[j]
        )
        samples["largest"] = largest
        if found.method == "ica":  # a code of 0 says nothing
            samples["smallest"] = smallest
    return Card(
        title=f"{own.name}: {own.factor}" if own.factor else own.name,
        facts=facts,
        trends=tuple(trend for _, trend in trends[:TRENDS]),
        samples=samples,
    )


def _trend(name: str, z: np.ndarray, y: np.ndarray) -> tuple[float, Trend]:
    """Means of a component over a factor, in its own standard deviations, and their r."""
    levels, level = np.unique(z, return_inverse=True)
    if len(levels) > PARTS:
        level = np.argsort(np.argsort(z, kind="stable")) * PARTS // len(z)
    unit = (y - y.mean()) / (y.std() or 1.0)
    means = [unit[level == part].mean() for part in np.unique(level)]
    r = float((unit * (z - z.mean())).mean() / (z.std() or 1.0))
    return r, Trend(name=name, heights=tuple(map(float, means)), words=f"r {fixed(r, 2)}")


def _sample(arrays: Mapping[str, Any], result: UnmixResult, name: str) -> Picture | str:
    if name not in result.pictured:
        return name
    image = arrays["images"][result.pictured.index(name)]
    return picture(image, caption=name)
