"""What `compare` returns: a finding for each score that is shown, and all scores.

Frozen, made of plain numbers and strings only, so that it goes to JSON and back unchanged.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from identikit.core.estimate import fixed
from identikit.core.finding import Finding, Headline
from identikit.core.serialization import Plain, as_text, plain_table
from identikit.report.shown import Shown
from identikit.similarity.findings import similarity_findings, similarity_headline
from identikit.similarity.result import MEASURES, ComparisonScores, Similarity

if TYPE_CHECKING:
    from rich.console import RenderableType

    from identikit.report.style import Figure


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison(Shown, Plain, ComparisonScores):
    """Two representations of the same samples: how alike they are, and whether they must be."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Predicted, recovered and explained of each score that is shown, space by space."""
        return similarity_findings(self)

    @property
    def headline(self) -> Headline:
        """Whether the two agree where theory says that they must."""
        return similarity_headline(self)

    def plot(self) -> "Figure":
        """Bars of every score and space with intervals, what theory predicts as a mark."""
        from identikit.similarity.plot import similarity_bars

        return similarity_bars(self)

    def __rich__(self) -> "RenderableType":
        return _rendered(self)

    def __str__(self) -> str:
        return as_text(self)


def _rendered(comparison: ComparisonScores) -> Group:
    a, b = comparison.names
    table = plain_table()
    table.add_column(f"A = {a}, B = {b}", no_wrap=True)
    for space in comparison.spaces:
        table.add_column(
            f"{space.name} ({space.rank_a}, {space.rank_b})", justify="right", no_wrap=True
        )
    for measure, label in MEASURES.items():
        found = [space.get(measure) for space in comparison.spaces]
        table.add_row(label, *("-" if score is None else _cell(score) for score in found))
    rule = (
        f"held out: {comparison.n_test} samples, fitted on {comparison.n_train}; (directions of A, "
        "of B), [95 % interval]"
    )
    return Group(table, Text(rule, style="dim"), *(Text(word) for word in comparison.status))


def _cell(score: Similarity) -> str:
    exact = score.estimate.low == score.estimate.high
    return f"{fixed(score.estimate.value, 3)}" if exact else str(score.estimate)
