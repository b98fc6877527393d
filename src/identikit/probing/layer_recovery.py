"""What `score_layers` returns: a recovery per layer, and the layer that each factor is best in.

Frozen, made of plain numbers and strings only, so that it goes to JSON and back unchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Group
from rich.text import Text

from identikit.core.estimate import format_cell
from identikit.core.finding import Finding, Headline, factor_headline
from identikit.core.serialization import Plain, as_text
from identikit.probing.findings import factor_finding, factor_findings
from identikit.probing.recovery import Recovery
from identikit.probing.result import FactorScore
from identikit.report.shown import Shown, place_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from identikit.report.style import Figure

CHOSEN = "Best layers, chosen inside the training part and scored on held-out samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class BestLayer:
    """The layer that the training part says a factor is read from best."""

    layer: str
    score: FactorScore
    """Its score there; p-values are corrected for the number of factors alone, since the held-out
    samples had no say in which layer it is."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LayerRecovery(Shown, Plain):
    """What is linearly in each layer of a model, or in each of several models."""

    layers: Mapping[str, Recovery]
    """In the order of computation; p-values are corrected for all factors in all layers."""
    best: tuple[BestLayer, ...]
    """One per factor, in their order."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of each factor at its best layer; then of each factor at each layer, which is a place."""
        return (
            *(self._best(j) for j in range(len(self.best))),
            *(
                replace(finding, place=name)
                for name, recovery in self.layers.items()
                for finding in factor_findings(recovery)
            ),
        )

    def _best(self, j: int) -> Finding:
        best, last = self.best[j], list(self.layers)[-1]
        scores = list(self.layers[best.layer].factors)
        scores[j] = best.score
        finding = factor_finding(replace(self.layers[best.layer], factors=tuple(scores)), j)
        words = f"Best of {len(self.layers)} layers at {best.layer}"
        if best.layer != last:
            there = self.layers[last].factors[j].estimate
            words += f", and {format_cell(there)} at {last}, the last"
        return replace(finding, explained=f"{words}; {finding.explained}")

    @property
    def headline(self) -> Headline:
        """What the findings at the best layers say together, and which layers these are."""
        said = factor_headline([self._best(j) for j in range(len(self.best))])
        places = "; ".join(f"{best.score.name} {best.layer}" for best in self.best)
        return replace(said, sentence=f"{said.sentence} {CHOSEN}: {places}.")

    def to_frame(self) -> pd.DataFrame:
        """One row per layer, factor and features: h and each control."""
        frames = [recovery.to_frame().assign(layer=name) for name, recovery in self.layers.items()]
        whole = pd.concat(frames, ignore_index=True)
        return whole[["layer", *whole.columns.drop("layer")]]

    def plot(self) -> "Figure":
        """A curve over layers for each factor with its intervals, controls beside it."""
        from identikit.probing.plot import recovery_curves

        return recovery_curves(self.layers, best=[best.layer for best in self.best])

    def __rich__(self) -> "RenderableType":
        best = self.findings[: len(self.best)]
        words = (Text(f"{finding.quantity}: {finding.explained}") for finding in best)
        return Group(place_table(self.findings), *words)

    def __str__(self) -> str:
        return as_text(self)
