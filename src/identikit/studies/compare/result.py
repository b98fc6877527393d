"""What a comparison says: a finding per score, those that theory predicts first."""

from dataclasses import dataclass
from typing import Literal

from identikit.core.finding import Finding, Headline
from identikit.similarity.comparison import Comparison
from identikit.similarity.findings import similarity_findings, similarity_headline


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareResult:
    """What came out, and what it says."""

    status: Literal["completed"] = "completed"
    headline: Headline
    findings: tuple[Finding, ...]
    scores: dict[str, dict[str, float]]
    """The numbers a script asks for, by space and measure."""
    comparison: Comparison

    @classmethod
    def of(cls, comparison: Comparison) -> "CompareResult":
        """The result with what it says."""
        return cls(
            headline=similarity_headline(comparison),
            findings=similarity_findings(comparison),
            scores={
                space.name: {score.measure: score.estimate.value for score in space.scores}
                for space in comparison.spaces
            },
            comparison=comparison,
        )
