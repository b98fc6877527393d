"""What results that hold findings show of themselves: in a notebook, on a page, on one screen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from identikit.core.errors import unknown_name
from identikit.core.estimate import fixed, format_brief, format_cell, with_ends
from identikit.core.finding import (
    Finding,
    Headline,
    Quantity,
    Tone,
    Verdict,
    by_place,
    controls_of,
    listed,
    overall,
)
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

STYLES: dict[Tone, str] = {"good": "green", "warning": "yellow", "bad": "red", "neutral": ""}
"""Colours of verdicts in a terminal."""
MOST = 20
"""Findings that one screen has room for."""


class Said:
    """Base of results that hold findings: found by name, and shown in a notebook or a terminal."""

    __slots__ = ()

    def __getitem__(self: Says, name: str) -> Finding:
        """The finding on a quantity: of a factor its name; at a place, as in `size at layer1`.

        Raises:
            InputError: no such finding.
        """
        found = {finding.name: finding for finding in self.findings}
        if name not in found:
            raise unknown_name("finding", str(name), found)
        return found[name]

    def _repr_html_(self: Says) -> str:
        from identikit.report.page import findings_html

        return findings_html(self.headline, overall(self.findings))

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

        return result_page(self.headline, overall(self.findings), self.plot(), path=path)


def one_screen(headline: Headline, findings: tuple[Finding, ...]) -> str:
    """The headline and a line for each finding or place, as far as they go on a screen."""
    said, places = overall(findings), by_place(findings)
    controls = controls_of(said)
    table = plain_table()
    table.add_column("")
    for name in ("predicted", "recovered", *controls):
        table.add_column(name, justify="right", no_wrap=name == "recovered")
    table.add_column("verdict")
    for finding in said[:MOST]:
        beside = {control.name: format_brief(control.recovered) for control in finding.controls}
        table.add_row(
            Text(finding.label),
            format_cell(finding.predicted),
            format_cell(finding.recovered),
            *(beside.get(name, "—") for name in controls),
            str(finding.verdict),
        )
    parts: list[RenderableType] = [Text(f"{headline.word}: {headline.sentence}"), table]
    more = len(said) - MOST
    if places and len(said) < len(findings):
        parts.append(place_table(findings, most=MOST))
        more = len(places) - MOST
    if more > 0:
        parts.append(Text(f"and {more} more: see .findings or .to_frame()"))
    return as_text(Group(*parts))


def place_table(findings: Sequence[Finding], *, most: int | None = None) -> RenderableType:
    """A row for each place and a column for each quantity, controls in brackets, marks below.

    Args:
        findings: Of which those that have a place are shown.
        most: Places, the first ones; all of them if not given.
    """
    places = by_place(findings)
    found = [finding for row in places.values() for finding in row.values()]
    rows = dict(list(places.items())[:most])
    columns = {
        f.label.replace(f.name, f.quantity, 1): [
            _cell(row[f.quantity]) if f.quantity in row else Text("—") for row in rows.values()
        ]
        for f in {f.quantity: f for f in found}.values()
    }
    marks = [f"{v.mark} {v}" for v in Verdict if v.mark and any(f.verdict is v for f in found)]
    controls = controls_of(found)
    words = [", ".join(marks)] if marks else []
    words += [f"in brackets: {listed(controls)}"] if controls else []
    table = _PlaceTable(list(rows), columns)
    return Group(table, *((Text("; ".join(words), style="dim"),) if words else ()))


@dataclass(frozen=True, slots=True)
class _PlaceTable:
    """As many columns side by side as fit without breaking a name or a number, then the others."""

    places: list[str]
    columns: Mapping[str, list[Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        names = max(map(len, self.places))
        whole = max(1, options.max_width - names - 2)
        texts = {label: (label, *map(str, cells)) for label, cells in self.columns.items()}
        least = {
            label: min(whole, max(len(word) for text in own for word in text.split()))
            for label, own in texts.items()
        }
        groups, left = [list[str]()], whole + 2
        for label, width in least.items():
            if left < width + 2:
                groups.append([])
                left = whole + 2
            groups[-1].append(label)
            left -= width + 2
        for group in groups:
            spare = (whole + 2 - sum(least[label] + 2 for label in group)) // len(group)
            table = plain_table(padding=0)  # rich 13 counts padding beyond the last column
            table.add_column("", width=names)
            for label in group:
                width = min(max(map(len, texts[label])), least[label] + spare)
                table.add_column(
                    _after_a_gap(Text(label)), justify="right", width=width + 2, overflow="fold"
                )
            for place, *cells in zip(self.places, *(self.columns[c] for c in group), strict=True):
                table.add_row(Text(place), *map(_after_a_gap, cells))
            yield table


def _after_a_gap(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 2))


def _cell(finding: Finding) -> Text:
    value = finding.recovered
    beside = ", ".join(_short(control.recovered) for control in finding.controls)
    text = f"{_short(value)}{finding.verdict.mark and ' ' + finding.verdict.mark}"
    return Text(f"{text} ({beside})" if beside else text, style=STYLES[finding.verdict.tone])


def _short(value: Quantity | None) -> str:
    return "—" if value is None else fixed(with_ends(value)[0], 2)
