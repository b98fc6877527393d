"""What the commands print: live progress, findings, errors."""

import codecs
import contextlib
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.live import Live
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table

from identikit.core.errors import printable
from identikit.core.estimate import central, format_brief, format_cell, format_time_left
from identikit.core.finding import Finding, Tone, controls_of, overall
from identikit.core.serialization import plain_table
from identikit.report.shown import STYLES, place_table
from identikit.runs.store import PAGE_FILE, Run

LABEL, VERDICT = 22, 12
"""Columns that a quantity and a verdict take at most."""
COLOURS: dict[Tone, str] = STYLES | {"neutral": "bold"}
PLAIN = {
    **dict(zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True)),
    **{"−": "-", "–": "-", "—": "-", "×": "x", "±": "+-", "≥": ">=", "≤": "<=", "…": "..."},
    **{"κ": "kappa", "β": "beta", "σ": "sigma", "→": "->", "·": ".", "’": "'", "“": '"', "”": '"'},
    **{"✓": "+", "✕": "x", "∞": "inf", "←": "<-", "↑": "^", "↓": "v"},
}
"""What stands for a character on a terminal that does not have it."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    power = "^" if text[0] == "⁻" else ""
    return power + "".join(PLAIN.get(letter, "?") for letter in text), error.end


def _consoles() -> tuple[Console, Console]:
    """Standard output and error, on which no character ends in an error."""
    codecs.register_error("identikit", _plain)
    for file in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a test's own file
            file.reconfigure(errors="identikit")  # type: ignore[union-attr]
    consoles = Console(), Console(stderr=True)
    for console in consoles:
        console.push_render_hook(_AsText())
    return consoles


class _AsText(RenderHook):
    """Names from files are shown, whatever is in them, and steer nothing."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Escaped(each) for each in renderables]


class _Escaped:
    def __init__(self, inner: ConsoleRenderable) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self.inner, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


OUT, ERR = _consoles()


def say(console: Console, words: str) -> None:
    """Words as they are, and never broken."""
    console.print(words, highlight=False, markup=False, soft_wrap=True)


def show_error(message: str) -> None:
    """An error on standard error, never broken by markup in it."""
    ERR.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)


@runtime_checkable
class Standing(Protocol):
    """How far anything long is; what has a `__rich__` of its own is drawn by that."""

    @property
    def done(self) -> int:
        """How many steps, runs or images are done."""

    @property
    def total(self) -> int:
        """Of how many."""

    @property
    def words(self) -> str:
        """What to say beside that."""

    @property
    def seconds_left(self) -> float | None:
        """None until it can be told."""


@contextlib.contextmanager
def live(what: str) -> Iterator[Callable[[Standing], None]]:
    """A live display on standard error from the first news on.

    Without a terminal it is a line per news that is not quiet.
    """
    if not ERR.is_terminal:
        yield _print_standing
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with contextlib.ExitStack() as stack:
        shown: list[Any] = []

        def tell(standing: Standing) -> None:
            if hasattr(standing, "__rich__"):
                if not shown:
                    shown.append(stack.enter_context(Live(console=ERR, transient=True)))
                shown[0].update(standing)
                return
            if not shown:
                shown.append(stack.enter_context(Progress(*columns, console=ERR)))
                shown[0].add_task(what, words="")
            words = f"{standing.words}{format_time_left(standing.seconds_left)}"
            shown[0].update(0, completed=standing.done, total=standing.total, words=words)

        yield tell


def _print_standing(standing: Standing) -> None:
    if not getattr(standing, "quiet", False):
        left = format_time_left(standing.seconds_left)
        say(ERR, f"{standing.done} of {standing.total}{left}; {standing.words}")


@contextlib.contextmanager
def progress_count(what: str) -> Iterator[Callable[[int, int], None]]:
    """A live count of how many of how many are done, on standard error, once it is known."""
    columns: tuple[ProgressColumn, ...] = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=ERR)
    try:
        task = bar.add_task(what, total=None)

        def watch(done: int, total: int) -> None:
            bar.start()
            bar.update(task, completed=done, total=total)

        yield watch
    finally:
        if bar.live.is_started:
            bar.stop()


def show_run(run: Run, *, as_json: bool) -> None:
    """What a run predicted, recovered and explained, and where its page is."""
    if as_json:
        print(json.dumps(run.result | {"run": str(run.path), "study": run.command}))
        return
    said = run.outcome
    headline = said.headline
    OUT.print()
    show_findings(said.findings)
    colour = COLOURS[headline.tone]
    OUT.print(
        f"\n[{colour}]{escape(headline.word)}[/] {escape(headline.sentence)}", highlight=False
    )
    if (run.path / PAGE_FILE).exists():
        say(OUT, f"page: {run.path / PAGE_FILE}")


def show_findings(findings: Sequence[Finding]) -> None:
    """A table with a column per control, or a block for each where that is too wide; then words.

    Before it a table of those that have a place, without words.
    """
    said = overall(findings)
    if len(said) < len(findings):
        OUT.print(place_table(findings))
        OUT.print()
    table = _table(said)
    if Measurement.get(OUT, OUT.options.update(width=10_000), table).maximum <= OUT.width:
        OUT.print(table)
    else:
        for finding in said:
            say(OUT, "; ".join([finding.label, *_named_numbers(finding), str(finding.verdict)]))
    OUT.print()
    for finding in said:
        words = finding.explained + (f" To decide: {finding.decide}" if finding.decide else "")
        OUT.print(f"[bold]{escape(finding.quantity)}[/]: {escape(words)}", highlight=False)


def _table(findings: Sequence[Finding]) -> Table:
    controls = controls_of(findings)
    table = plain_table(padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for name in ("predicted", "recovered", *controls):
        table.add_column(escape(name.replace(" ", "\n")), justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for finding in findings:
        beside = {control.name: format_brief(control.recovered) for control in finding.controls}
        numbers = [
            format_cell(finding.predicted),
            format_cell(finding.recovered),
            *(beside.get(name, "—") for name in controls),
        ]
        words = "\n".join(textwrap.wrap(finding.verdict, VERDICT))
        verdict = f"[{COLOURS[finding.verdict.tone]}]{words}[/]"
        label = "\n".join(textwrap.wrap(finding.label, LABEL))
        table.add_row(escape(label), *map(escape, numbers), verdict)
    return table


def _named_numbers(finding: Finding) -> list[str]:
    named: dict[str, object] = {
        "predicted": finding.predicted,
        "recovered": finding.recovered,
    }
    named |= {c.name: central(c.recovered) for c in finding.controls}
    return [f"{name} {format_cell(value)}" for name, value in named.items() if value is not None]
