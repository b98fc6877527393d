"""The page of an unmixing: a card for each component, and each factor over its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from identikit.report.figures import Figure, Points, matrix, points
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.unmix.result import UnmixResult
from identikit.unmixing.findings import arbitrary

SCATTERED = 6
"""Factors that are drawn over their components."""


_COMPONENTS = (
    "The least Gaussian one first; each has its longer tail above 0, or, where that is not clear, "
    "its largest weight on h. Components of one group can be turned into each other without a loss "
    "that shows. Correlation with its match: the least among other starts, and the median with 95 "
    "% of resamples of the rows."
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
        sections=(*_factors(run.arrays(), result), _cards(result)),
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


def _axes(axes: Mapping[str, Mapping[str, float]]) -> tuple[Table, ...]:
    if not axes:
        return ()
    frame = pd.DataFrame({name: pd.Series(scores) for name, scores in axes.items()})
    frame.insert(0, "score", frame.index)
    return (Table(caption="InfoMEC and DCI of a Lasso, held out", frame=frame),)


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


def _cards(result: UnmixResult) -> Section:
    found = result.unmixing
    frame = found.to_frame()
    if result.extremes:
        for k, end in enumerate(("largest", "smallest")):
            frame[end] = [", ".join(own[k]) for own in result.extremes]
    return Section(
        heading="Components",
        lead=_ATOMS if found.method == "sparse" else _COMPONENTS,
        tables=(Table(caption="A card for each component", frame=frame),),
        notes=tuple(f"{sentence}." for sentence in (*found.status, *result.notes)),
    )
