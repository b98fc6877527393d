"""What a probe says: a finding per factor, and what went in."""

from dataclasses import dataclass
from typing import Literal

from identikit.core.finding import Finding, Headline, factor_headline
from identikit.probing.findings import factor_findings
from identikit.probing.recovery import Recovery
from identikit.studies.probe.classic import ClassicScore


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeStudyResult:
    """What came out, and what went in."""

    status: Literal["completed"] = "completed"
    headline: Headline
    findings: tuple[Finding, ...]
    scores: dict[str, float]
    """Of each factor, for scripts."""
    recovery: Recovery
    kinds: dict[str, str]
    """Of each factor, in words."""
    notes: tuple[str, ...]
    """What was left out, and what else a reader should know of the data."""
    classic: tuple[ClassicScore, ...] = ()

    @classmethod
    def of(
        cls,
        recovery: Recovery,
        *,
        kinds: dict[str, str],
        notes: tuple[str, ...],
        classic: tuple[ClassicScore, ...] = (),
    ) -> "ProbeStudyResult":
        """The result with what it says."""
        findings = factor_findings(recovery)
        return cls(
            headline=factor_headline(findings),
            findings=findings,
            scores={score.name: score.estimate.value for score in recovery.factors},
            recovery=recovery,
            kinds=kinds,
            notes=notes,
            classic=classic,
        )
