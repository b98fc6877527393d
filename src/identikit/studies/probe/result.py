"""What a probe says: a finding per factor, and what went in."""

from dataclasses import dataclass
from typing import Literal

from identikit.core.finding import Finding, Headline, Verdict
from identikit.probing.recovery import Recovery
from identikit.report.shown import Said
from identikit.studies.probe.classic import ClassicScore


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProbeStudyResult(Said):
    """What came out, and what went in."""

    status: Literal["completed"] = "completed"
    scores: dict[str, float]
    """Of each factor, for scripts."""
    recovery: Recovery
    kinds: dict[str, str]
    """Of each factor, in words."""
    notes: tuple[str, ...]
    """What was left out, and what else a reader should know of the data."""
    classic: tuple[ClassicScore, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the recovery, and which classic scores mislead here."""
        misleading = [score.warning for score in self.classic if score.warning]
        if not misleading:
            return self.recovery.findings
        finding = Finding(
            quantity="classic scores that mislead here",
            recovered=len(misleading),
            explained=f"With such samples, codes and factors: {'; '.join(misleading)}.",
            verdict=Verdict.MEASURED,
        )
        return (*self.recovery.findings, finding)

    @property
    def headline(self) -> Headline:
        """That of the recovery."""
        return self.recovery.headline

    @classmethod
    def of(
        cls,
        recovery: Recovery,
        *,
        kinds: dict[str, str],
        notes: tuple[str, ...],
        classic: tuple[ClassicScore, ...] = (),
    ) -> "ProbeStudyResult":
        """The result with the numbers that a script asks for."""
        return cls(
            scores={score.name: score.estimate.value for score in recovery.factors},
            recovery=recovery,
            kinds=kinds,
            notes=notes,
            classic=classic,
        )
