"""What a comparison says: a finding per score, those that theory predicts first."""

from dataclasses import dataclass
from typing import Literal

from identikit.core.finding import Finding, Headline
from identikit.report.shown import Said
from identikit.similarity.comparison import Comparison
from identikit.similarity.layer_comparison import LayerComparison


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CompareResult(Said):
    """What came out."""

    status: Literal["completed"] = "completed"
    scores: dict[str, dict[str, float]]
    """The numbers a script asks for, by space and measure."""
    comparison: Comparison

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the comparison."""
        return self.comparison.findings

    @property
    def headline(self) -> Headline:
        """That of the comparison."""
        return self.comparison.headline

    @classmethod
    def of(cls, comparison: Comparison) -> "CompareResult":
        """The result with the numbers that a script asks for."""
        return cls(
            scores={
                space.name: {score.measure: score.estimate.value for score in space.scores}
                for space in comparison.spaces
            },
            comparison=comparison,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LayersCompareResult(Said):
    """What came out of several layers."""

    status: Literal["completed"] = "completed"
    comparison: LayerComparison

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the comparison."""
        return self.comparison.findings

    @property
    def headline(self) -> Headline:
        """That of the comparison."""
        return self.comparison.headline
