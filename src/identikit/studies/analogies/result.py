"""What a run of analogies says: a finding per factor or concept, and per layer."""

from dataclasses import dataclass
from typing import Literal

from identikit.core.finding import Finding, Headline
from identikit.probing.analogy_result import Analogies
from identikit.report.shown import Said


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AnalogiesResult(Said):
    """What came out."""

    status: Literal["completed"] = "completed"
    analogies: Analogies

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the analogies."""
        return self.analogies.findings

    @property
    def headline(self) -> Headline:
        """That of the analogies."""
        return self.analogies.headline
