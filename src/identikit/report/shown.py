"""What results that hold findings show of themselves: in a notebook, on a page, on one screen."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Group
from rich.text import Text

from identikit.core.errors import unknown_name
from identikit.core.estimate import format_brief, format_cell
from identikit.core.finding import Finding, Headline, controls_of
from identikit.core.serialization import as_text, plain_table

if TYPE_CHECKING:
    from identikit.report.style import Figure

    class Says(Protocol):
        """A result that holds findings."""

        @property
        def headline(self) -> Headline:
            """What the whole says."""

        @property
        def findings(self) -> tuple[Finding, ...]:
            """Predicted, recovered and explained, quantity by quantity."""

    class Draws(Says, Protocol):
        """A result that has a figure, too."""

        def plot(self) -> Figure:
            """The result at a glance."""
else:  # a protocol of attributes cannot be checked at run time
    Says = Draws = Any

MOST = 20
"""Findings that one screen has room for."""


class Said:
    """Base of results that hold findings: found by name, and shown in a notebook or a terminal."""

    __slots__ = ()

    def __getitem__(self: Says, name: str) -> Finding:
        """The finding on a quantity: of a factor its name.

        Raises:
            InputError: no such finding.
        """
        found = {finding.quantity: finding for finding in self.findings}
        if name not in found:
            raise unknown_name("finding", str(name), found)
        return found[name]

    def _repr_html_(self: Says) -> str:
        from identikit.report.page import findings_html

        return findings_html(self.headline, self.findings)

    def __repr__(self: Says) -> str:
        return one_screen(self.headline, self.findings)


class Shown(Said):
    """Base of results that hold findings and a figure, and make a page of these."""

    __slots__ = ()

    def to_html(self: Draws, path: str | Path | None = None) -> str:
        """The result as one page that needs no other file, also written where a path is given.

        Raises:
            InputError: the file cannot be written.
        """
        from identikit.report.page import result_page

        return result_page(self.headline, self.findings, self.plot(), path=path)


def one_screen(headline: Headline, findings: tuple[Finding, ...]) -> str:
    """The headline and a line for each finding, as far as they go on a screen."""
    controls = controls_of(findings)
    table = plain_table()
    table.add_column("")
    for name in ("predicted", "recovered", *controls):
        table.add_column(name, justify="right", no_wrap=name == "recovered")
    table.add_column("verdict")
    for finding in findings[:MOST]:
        beside = {control.name: format_brief(control.recovered) for control in finding.controls}
        table.add_row(
            Text(finding.label),
            format_cell(finding.predicted),
            format_cell(finding.recovered),
            *(beside.get(name, "—") for name in controls),
            str(finding.verdict),
        )
    more = len(findings) - MOST
    shown = Group(
        Text(f"{headline.word}: {headline.sentence}"),
        table,
        *((Text(f"and {more} more: see .findings or .to_frame()"),) if more > 0 else ()),
    )
    return as_text(shown)
