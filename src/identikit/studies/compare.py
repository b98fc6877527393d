"""Two models, no annotations: how alike they are, on what their heads cover and on the rest."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import tyro

from identikit.core.errors import unknown_name
from identikit.core.estimate import Estimate
from identikit.core.files import file_digest
from identikit.features.head import read_head
from identikit.features.paths import files_of, plain_name
from identikit.features.rows import KEYS, Rows, read_rows
from identikit.report.figures import BarSeries, Figure, Spectrum, grouped_bars, spectrum
from identikit.report.page import ComparisonRow, Page, Section, Table
from identikit.report.style import COVERED, RECOVERED, REST
from identikit.runs.store import Draft, Run
from identikit.runs.study import Outcome, Study, Watch
from identikit.similarity.compare import compare
from identikit.similarity.comparison import MEASURES, Comparison, SpaceScores
from identikit.similarity.explain import explain_similarity, predicted
from identikit.studies.pages import provenance

COLOURS = {"whole": RECOVERED, "covered": COVERED, "rest": REST}
CLOSE = 0.98
"""Covered R² from which two models count as linear images of each other."""
IN_ROWS = {
    "covered": ("r2_ab", "r2_ba", "procrustes_ab", "cca", "cka"),
    "whole": ("r2_ab", "r2_ba", "procrustes_ab", "cca", "cka"),
    "rest": ("r2_ab", "r2_ba", "cka"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig:
    """Which two sets of features to compare, and how."""

    a: Annotated[Path, tyro.conf.Positional]
    """Features of model A: a file, shards of one, or a folder that `identikit extract` made; with
    `key` where rows have names, and `W` where the head is known."""
    b: Annotated[Path, tyro.conf.Positional]
    """Features of model B on the same samples; rows are matched by their keys where both have
    them, by their order else."""
    head_a: Path | None = None
    """File of A's head (labels, dimensions), where it is not with the features."""
    head_b: Path | None = None
    """File of B's head."""
    groups: str | None = None
    """Column of A whose samples of one value are held out and resampled together."""
    seed: int = 0
    """Of the split, the bootstrap and the shuffles."""
    train_share: float = 0.5
    """Share of the samples that maps are fitted on."""
    shuffles: int = 5
    """Of the rows of B, for the chance levels."""
    sha256: Annotated[str, tyro.conf.Suppress] = ""
    """Of all files, so that changed files are another run; filled in by `with_digest`."""

    def with_digest(self) -> "CompareConfig":
        """The same config with the files' digest.

        Raises:
            InputError: a file cannot be read.
        """
        heads = [head for head in (self.head_a, self.head_b) if head is not None]
        files = [*files_of(self.a), *files_of(self.b), *heads]
        digests = "".join(file_digest(file) for file in files)
        return replace(self, sha256=sha256(digests.encode()).hexdigest())


def compare_files(config: CompareConfig) -> Comparison:
    """Compare the features in two places.

    Raises:
        InputError: features that cannot be read or matched.
    """
    a, b = read_rows(config.a), read_rows(config.b)
    if config.groups is not None and config.groups not in a.columns:
        raise unknown_name(f"column of {config.a}", config.groups, a.columns)
    W_a, class_a = _head(a, config.head_a)
    W_b, class_b = _head(b, config.head_b)
    return compare(
        a.h,
        b.h,
        head_a=W_a,
        head_b=W_b,
        head_class_a=class_a,
        head_class_b=class_b,
        keys_a=_keys(a),
        keys_b=_keys(b),
        groups=None if config.groups is None else a.columns[config.groups],
        names=_names(config),
        seed=config.seed,
        train_share=config.train_share,
        shuffles=config.shuffles,
    )


def _head(rows: Rows, path: Path | None) -> tuple[Any, Any]:
    """W and the class of each of its rows, where they are known."""
    found = rows.head if path is None else read_head(path)
    return found.get("W"), found.get("head_class")


def _keys(rows: Rows) -> Any:
    return next((rows.columns[name] for name in KEYS if name in rows.columns), None)


def _names(config: CompareConfig) -> tuple[str, str]:
    """File names, with folders where these alone are the same."""
    a, b = plain_name(config.a), plain_name(config.b)
    return (a, b) if a != b else (str(config.a), str(config.b))


def compare_summary(comparison: Comparison) -> dict[str, Any]:
    """The numbers a script asks for, by name."""
    return {
        "status": "completed",
        "scores": {
            space.name: {score.measure: score.estimate.value for score in space.scores}
            for space in comparison.spaces
        },
        "comparison": comparison.to_dict(),
    }


def compare_page(run: Run) -> Page:
    """The page of a saved `identikit compare` run."""
    comparison = Comparison.from_dict(run.result["comparison"])
    verdict, tone = _verdict(comparison)
    return Page(
        title="How alike two models are",
        subtitle=f"A is {comparison.names[0]} ({comparison.dims[0]} dimensions), B is "
        f"{comparison.names[1]} ({comparison.dims[1]}); "
        f"{comparison.n_train + comparison.n_test:,} samples in common",
        verdict=verdict,
        verdict_tone=tone,
        rows=_rows(comparison),
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


def _verdict(comparison: Comparison) -> tuple[str, Literal["good", "warning", "bad"]]:
    covered, whole = comparison.space("covered"), comparison.spaces[0]
    space = whole if covered is None else covered
    forth, back = space["r2_ab"].estimate.value, space["r2_ba"].estimate.value
    numbers = f"linear R² {forth:.3f} from A to B and {back:.3f} back"
    if covered is None:
        words = "Without both heads theory cannot say which part must agree; on the whole spaces "
        return f"{words}{numbers}.", "good" if min(forth, back) >= CLOSE else "warning"
    if min(forth, back) >= CLOSE:
        return f"On what their heads cover the two are linear images of each other: {numbers}.", (
            "good"
        )
    words = "On what their heads cover the two fall short of linear images of each other"
    return f"{words}: {numbers}.", "warning" if min(forth, back) > 0.5 else "bad"


def _rows(comparison: Comparison) -> tuple[ComparisonRow, ...]:
    """Covered first: only there theory speaks."""
    order = sorted(comparison.spaces, key=lambda space: list(IN_ROWS).index(space.name))
    return tuple(
        ComparisonRow(
            quantity=f"{space.name}: {score.label}",
            predicted=predicted(comparison, space, score.measure),
            recovered=score.estimate,
            explained=explain_similarity(comparison, space, score),
        )
        for space in order
        for score in space.scores
        if score.measure in IN_ROWS[space.name]
    )


def _bars(comparison: Comparison) -> Figure:
    measures = [m for m in MEASURES if any(s.get(m) is not None for s in comparison.spaces)]
    covered = comparison.space("covered")
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


def _compute(config: CompareConfig, draft: Draft, on_progress: Watch | None) -> Outcome:
    return compare_summary(compare_files(config)), {}


COMPARE: Study[Any] = Study(
    command="compare",
    compute=_compute,
    page=compare_page,
    label=lambda config: f"{plain_name(config.a)}-{plain_name(config.b)}",
)
"""How a comparison is made, saved and drawn."""
