"""The page of a comparison of layers: a heat map for each score, and every number."""

import pandas as pd

from identikit.core.finding import overall
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.similarity.layer_comparison import LABELS
from identikit.studies.compare.result import LayersCompareResult
from identikit.studies.pages import provenance

SHORT = 0.9
"""Of a layer's variance in the axes that were compared: below it is said."""


def compare_layers_page(run: Run, result: LayersCompareResult) -> Page:
    """The page of a saved `identikit compare` run of several layers."""
    found = result.comparison
    counts = [len(layers) for layers in found.layers]
    pairs, draws = counts[0] * counts[1], "groups" if found.groups else "samples"
    return Page(
        title="How alike the layers of two models are",
        subtitle=f"A is {found.names[0]} ({counts[0]} layers), B is {found.names[1]} "
        f"({counts[1]}); {found.n_train + found.n_test:,} samples in common",
        headline=result.headline,
        findings=overall(result.findings),
        sections=(
            Section(
                heading="Every pair of layers",
                lead="Linear R² forgives any linear map of the source, CKA rotations and one scale "
                "of both, mutual nearest neighbours whatever keeps each sample's nearest ones. "
                f"Chance is the mean over shuffles of B's {draws}, the same for all pairs.",
                figures=tuple(found.plot(measure) for measure in LABELS),
            ),
            Section(
                heading="All numbers",
                lead=f"p is corrected for the {pairs} pairs: it counts the shuffles in which any "
                "pair stands out as far from its own shuffles as this one does.",
                tables=(
                    Table(caption="Every pair and score", frame=found.to_frame()),
                    *(
                        Table(
                            caption=f"Layers of {name}",
                            frame=pd.DataFrame(
                                {"layer": layers, "dimensions": dims, "variance compared": kept}
                            ),
                        )
                        for name, layers, dims, kept in zip(
                            found.names, found.layers, found.dims, found.kept, strict=True
                        )
                    ),
                ),
                notes=(
                    f"R² and CKA are of the first {found.axes} principal axes of each layer, "
                    f"fitted on {found.n_train:,} samples and scored on {found.n_test:,} (CKA on "
                    f"all); neighbours are of all dimensions, among {found.n_near:,} samples.",
                    *_short(result),
                    *(f"{sentence}." for sentence in found.status),
                ),
            ),
        ),
        provenance=provenance(run),
    )


def _short(result: LayersCompareResult) -> tuple[str, ...]:
    found = result.comparison
    names = [
        f"{layer} of {name}"
        for name, layers, kept in zip("AB", found.layers, found.kept, strict=True)
        for layer, share in zip(layers, kept, strict=True)
        if share < SHORT
    ]
    words = f"Less than {SHORT:.0%} of the variance is in these axes in {', '.join(names)}."
    return (words,) if names else ()
