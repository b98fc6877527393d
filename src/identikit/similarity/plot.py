"""Bars of every similarity, space by space, what theory predicts as a mark."""

from dataclasses import replace

from identikit.core.estimate import Estimate
from identikit.report.figures import BarSeries, Figure, grouped_bars
from identikit.report.style import COVERED, RECOVERED, REST
from identikit.similarity.explain import predicted
from identikit.similarity.result import MEASURES, ComparisonScores, SpaceScores

COLOURS = {"whole": RECOVERED, "head row space": COVERED, "complement": REST}


def similarity_bars(comparison: ComparisonScores) -> Figure:
    """Bars of every score with intervals, a colour for each space."""
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
