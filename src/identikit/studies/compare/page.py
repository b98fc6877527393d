"""The page of a comparison: every score on what the heads cover, on the whole and on the rest."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from identikit.report.figures import Figure, Spectrum, spectrum
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.similarity.comparison import Comparison
from identikit.similarity.result import LikelihoodDistances, SpaceScores
from identikit.studies.compare.result import CompareResult
from identikit.studies.pages import provenance


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
                figures=(comparison.plot(),),
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
                tables=(
                    *(_table(space) for space in comparison.spaces),
                    *_posteriors(comparison.likelihoods),
                ),
                notes=tuple(f"{sentence}." for sentence in comparison.status),
            ),
        ),
        provenance=provenance(run),
    )


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


def _posteriors(found: LikelihoodDistances | None) -> Iterator[Table]:
    if found is not None:
        values = {
            "KL from A's to B's, nats": found.kl,
            "log-likelihood-variance distance (LLV)": found.llv,
            "distance of the representations": found.distance,
            "which LLV bounds by": found.bound,
        }
        frame = pd.DataFrame({"quantity": list(values), "value": list(values.values())})
        yield Table(caption=f"The two posteriors over {found.labels} labels", frame=frame)


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
