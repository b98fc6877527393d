"""The page of a comparison: every score on what the heads cover, on the whole and on the rest."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from identikit.core.estimate import Estimate
from identikit.report.figures import BarSeries, Figure, Spectrum, grouped_bars, spectrum
from identikit.report.page import Page, Section, Table
from identikit.report.style import COVERED, RECOVERED, REST
from identikit.runs.store import Run
from identikit.similarity.comparison import MEASURES, Comparison, SpaceScores
from identikit.similarity.explain import predicted
from identikit.studies.compare.result import CompareResult
from identikit.studies.pages import provenance

COLOURS = {"whole": RECOVERED, "head row space": COVERED, "complement": REST}


def compare_page(run: Run, result: CompareResult) -> Page:
    """The page of a saved `identikit compare` run."""
    comparison = result.comparison
    return Page(
        title="How alike two models are",
        subtitle=f"A is {comparison.names[0]} ({comparison.dims[0]} dimensions), B is "
        f"{comparison.names[1]} ({comparison.dims[1]}); "
        f"{comparison.n_train + comparison.n_test:,} samples in common",
        headline=result.headline,
        findings=result.findings,
        sections=(
            Section(
                heading="Every score",
                lead="Linear R² forgives any linear map, Procrustes R² and CKA only rotations and "
                "one scale. Maps are fitted on one part of the samples and scored on the other; "
                "CKA is the unbiased estimate over all.",
                figures=(_bars(comparison),),
            ),
            Section(
                heading="Direction by direction",
                lead="The pairs of directions that correlate most, one in each model, and how far "
                "the linear map from A to B is from a rotation.",
                figures=tuple(_spectra(comparison)),
            ),
            Section(
                heading="All numbers",
                lead="Chance is what the same scores come to with the rows of B shuffled. The "
                "ceiling is what the numbers of directions (R²) or the spreads along them "
                "(Procrustes, CKA) allow at best, whatever the two models hold.",
                tables=tuple(_table(space) for space in comparison.spaces),
                notes=tuple(f"{sentence}." for sentence in comparison.status),
            ),
        ),
        provenance=provenance(run),
    )


def _bars(comparison: Comparison) -> Figure:
    measures = [m for m in MEASURES if any(s.get(m) is not None for s in comparison.spaces)]
    covered = comparison.space("head row space")
    marks = [
        None if covered is None else predicted(comparison, covered, measure) for measure in measures
    ]
    figure = grouped_bars(
        [MEASURES[measure] for measure in measures],
        [
            BarSeries(
                label=space.name,
                values=tuple(_estimate(space, measure) for measure in measures),
                colour=COLOURS[space.name],
            )
            for space in comparison.spaces
        ],
        score="Similarity",
        chance=0.0,
        predicted=marks if any(mark is not None for mark in marks) else None,
        predicted_label="what theory predicts of the covered parts",
    )
    return replace(figure, title="Similarity of the two models")


def _estimate(space: SpaceScores, measure: str) -> Estimate | None:
    score = space.get(measure)
    return None if score is None else score.estimate


def _spectra(comparison: Comparison) -> Iterator[Figure]:
    canonical = [s for s in comparison.spaces if s.canonical]
    if canonical:
        figure = spectrum(
            [
                Spectrum(name=s.name, values=s.canonical, fitted=s.canonical_fitted)
                for s in canonical
            ],
            y_label="canonical correlation",
        )
        words = " Dashed: on the samples fitted, where they are too high."
        yield replace(
            figure,
            name="canonical",
            title="Canonical correlations",
            caption=figure.caption + words,
        )
    figure = spectrum(
        [Spectrum(name=s.name, values=s.singular_values) for s in comparison.spaces],
        y_label="relative singular value",
        log_y=all(min(s.singular_values) > 0 for s in comparison.spaces),
    )
    words = "Over their root mean square: all 1 for a rotation; spread out where one model holds "
    yield replace(
        figure,
        name="singular-values",
        title="Singular values of the linear map from A to B",
        caption=words + "large what the other holds small.",
    )


def _table(space: SpaceScores) -> Table:
    rows = [
        {
            "score": score.label,
            "value": score.estimate if score.measure != "cka_biased" else score.estimate.value,
            "chance": score.chance,
            "ceiling": score.ceiling,
        }
        for score in space.scores
    ]
    words = f"{space.name}: {space.rank_a} directions of A, {space.rank_b} of B"
    return Table(caption=words[0].upper() + words[1:], frame=pd.DataFrame(rows, dtype=object))
