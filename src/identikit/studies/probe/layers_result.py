"""What a probe of layers says: a finding per factor at its best layer, and at every layer."""

from dataclasses import dataclass
from typing import Literal

from identikit.core.finding import Finding, Headline
from identikit.probing.layer_recovery import LayerRecovery
from identikit.report.shown import Said


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LayersProbeResult(Said):
    """What came out, and what went in."""

    status: Literal["completed"] = "completed"
    scores: dict[str, dict[str, float]]
    """Of each layer and factor, for scripts."""
    recovery: LayerRecovery
    kinds: dict[str, str]
    """Of each factor, in words."""
    notes: tuple[str, ...]
    """What was left out, and what else a reader should know of the data."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the recovery."""
        return self.recovery.findings

    @property
    def headline(self) -> Headline:
        """That of the recovery."""
        return self.recovery.headline
