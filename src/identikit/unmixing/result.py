"""What `unmix` returns: components, how surely they are those, and which factor each one is.

Frozen, made of plain numbers and strings only, so that it goes to JSON and back unchanged.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from rich.console import Group
from rich.text import Text

from identikit.core.estimate import Estimate, format_cell
from identikit.core.finding import Finding, Headline
from identikit.core.memory_mapped import projected
from identikit.core.serialization import Plain, as_text, plain_table
from identikit.features.inputs import as_features
from identikit.report.shown import Shown
from identikit.unmixing.findings import arbitrary, unmixing_findings, unmixing_headline
from identikit.unmixing.scores import UnmixingScores
from identikit.unmixing.sparse import encoded

if TYPE_CHECKING:
    from rich.console import RenderableType

    from identikit.report.style import Figure


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Unmixing(Shown, Plain, UnmixingScores):
    """A representation as components, in a fixed order and with fixed signs."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the mean correlation, of each factor, and of how many components are determined."""
        return unmixing_findings(self)

    @property
    def headline(self) -> Headline:
        """How many components can be named, and whether they are the factors."""
        return unmixing_headline(self)

    def components_of(self, h: Any) -> Float[np.ndarray, "n k"]:
        """The components of any rows of the representation: (h - mean) weights, or codes.

        Raises:
            InputError: features of other dimensions.
        """
        rows = as_features(h, name="h")
        mean, weights = (torch.tensor(v, dtype=torch.float64) for v in (self.mean, self.weights))
        if self.method == "sparse":
            return encoded(rows, weights.T, penalty=self.penalty).numpy()
        return (projected(rows, weights, dtype=torch.float64) - mean @ weights).numpy()

    def to_frame(self) -> pd.DataFrame:
        """One row per component."""
        correlations = {own.component: own.correlation for own in self.factors}
        rows = [
            {
                "component": own.name,
                "determined": own.alone,
                **(
                    {"share of samples": own.contrast}
                    if self.method == "sparse"
                    else {"group": own.group, "contrast": own.contrast}
                ),
                "other starts, least": own.starts,
                **({} if own.resamples is None else {"resamples": own.resamples}),
                **(
                    {"factor": own.factor, "|r|": correlations.get(own.name)}
                    if self.factors
                    else {}
                ),
            }
            for own in self.components
        ]
        return pd.DataFrame(rows, dtype=object)

    def plot(self) -> "Figure":
        """Bars of each factor's |r|; without factors, of how surely each component comes again."""
        from identikit.report.figures import FactorBar, factor_bars

        if not self.factors:
            bars = [
                FactorBar(name=own.name, estimate=own.resamples, chance=0.0, controls={})
                for own in self.components
                if own.resamples is not None
            ]
            return factor_bars(bars, score="|r| in resamples")
        bars = [
            FactorBar(
                name=own.name,
                estimate=own.correlation,
                chance=self.shuffled or 0.0,
                controls={arbitrary(self): _point(own.random)}
                | ({} if own.raw is None else {"own axes": _point(own.raw)}),
            )
            for own in self.factors
        ]
        return factor_bars(bars, score="|r|")

    def __rich__(self) -> "RenderableType":
        table = plain_table()
        frame = self.to_frame()
        for name in frame:
            table.add_column(str(name), justify="right" if name != "component" else "left")
        for row in frame.itertuples(index=False):
            table.add_row(*(format_cell(value) for value in row))
        return Group(table, *(Text(word) for word in self.status))

    def __str__(self) -> str:
        return as_text(self)


def _point(value: float) -> Estimate:
    return Estimate(value, value, value)
