"""What `score` returns: every factor's finding, and the numbers that it comes from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from identikit.core.errors import InputError
from identikit.core.files import read_regular, write_json
from identikit.core.finding import Finding, Headline, factor_headline
from identikit.core.serialization import Plain, as_text, from_plain
from identikit.probing.findings import factor_findings
from identikit.probing.result import RecoveryScores
from identikit.probing.table import render
from identikit.report.shown import Shown

if TYPE_CHECKING:
    from rich.console import RenderableType

    from identikit.report.style import Figure


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Recovery(Shown, Plain, RecoveryScores):
    """What was recovered of each factor, beside what could be and what needs no learning."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Predicted, recovered and explained of each factor, with its controls and a verdict."""
        return factor_findings(self)

    @property
    def headline(self) -> Headline:
        """What all findings say together."""
        return factor_headline(self.findings)

    def save(self, path: str | Path) -> None:
        """Write JSON, whole or not at all.

        Raises:
            InputError: a place that cannot be written.
        """
        write_json(Path(path), self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> "Recovery":
        """Read what `save` wrote.

        Raises:
            InputError: a file that is missing or not a saved recovery.
        """
        try:
            plain = json.loads(read_regular(Path(path)))
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot read {path} as a saved recovery: {error}. Pass a file that "
                "Recovery.save wrote."
            ) from None
        return from_plain(cls, plain, writer="Recovery.save")

    def plot(self) -> "Figure":
        """Bars with intervals per factor, controls beside them, the ceiling as a mark."""
        from identikit.probing.plot import recovery_bars

        return recovery_bars(self)

    def __rich__(self) -> "RenderableType":
        return render(self, self.findings)

    def __str__(self) -> str:
        return as_text(self)
