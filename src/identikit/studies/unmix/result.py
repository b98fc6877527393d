"""What a run of unmixing says: a finding per factor, and how many components are determined."""

from dataclasses import dataclass
from typing import Literal

from identikit.core.finding import Finding, Headline
from identikit.report.shown import Said
from identikit.unmixing.result import Unmixing


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnmixResult(Said):
    """What came out."""

    status: Literal["completed"] = "completed"
    unmixing: Unmixing
    extremes: tuple[tuple[tuple[str, ...], ...], ...] = ()
    """Of each component the names of the samples of its largest values, and of its smallest, or
    what they say where they are sentences; empty where samples have no names."""
    carded: tuple[int, ...] = ()
    """Components that have a card: those of factors first."""
    pictured: tuple[str, ...] = ()
    """Names of the samples whose images are kept, in their order."""
    notes: tuple[str, ...] = ()
    """What was left out of the files, and why."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the unmixing."""
        return self.unmixing.findings

    @property
    def headline(self) -> Headline:
        """That of the unmixing."""
        return self.unmixing.headline
