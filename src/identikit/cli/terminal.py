"""What the commands print: live progress, tables of predicted, recovered and explained, errors."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from identikit.core.serialization import plain_table
from identikit.report.page import Page
from identikit.report.tables import format_cell
from identikit.runs.jobs import Outcome
from identikit.runs.store import Run
from identikit.runs.study import PAGE_FILE, Watch
from identikit.studies.simulation import Prediction
from identikit.studies.sweeps.run import SweepProgress
from identikit.studies.sweeps.summary import RowSummary, ceiling_of, recovered, word_for
from identikit.studies.sweeps.sweep import Sweep

OUT = Console()
ERR = Console(stderr=True)
WIDE = 120
"""Columns from which a table of four columns reads well."""


def say(console: Console, words: str) -> None:
    """Words as they are, and never broken."""
    console.print(words, highlight=False, markup=False, soft_wrap=True)


def show_error(message: str) -> None:
    """An error on standard error, never broken by markup in it."""
    ERR.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _late_bar(*columns: ProgressColumn) -> Iterator[Progress]:
    """A live line on standard error that whoever watches starts."""
    bar = Progress(*columns, console=ERR)
    try:
        yield bar
    finally:
        if bar.live.is_started:
            bar.stop()


@contextlib.contextmanager
def progress_line(what: str) -> Iterator[Watch]:
    """A live line on standard error once training starts: steps, scores, time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[scores]}"),
        TextColumn("{task.fields[left]:.0f} s left"),
    )
    with _late_bar(*columns) as bar:
        task = bar.add_task(what, scores="", left=0.0)

        def watch(progress: Any) -> None:
            bar.start()
            found = progress.evaluation.items()
            scores = "  ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in found)
            steps = {"total": progress.steps, "completed": progress.step}
            bar.update(task, scores=scores, left=progress.seconds_left, **steps)

        yield watch


@contextlib.contextmanager
def progress_board() -> Iterator[Callable[[SweepProgress, Outcome | None], None]]:
    """A live table of a sweep's rows on standard error; without a terminal a line per run."""
    if not ERR.is_terminal:
        yield _print_run
        return
    with Live(console=ERR, refresh_per_second=2, transient=True) as live:

        def watch(board: SweepProgress, outcome: Outcome | None) -> None:
            live.update(_LiveBoard(board))

        yield watch


class _LiveBoard:
    """Renders a board anew at each refresh, so that the clock runs."""

    def __init__(self, board: SweepProgress) -> None:
        self.board = board

    def __rich__(self) -> Table:
        table = plain_table(title=_standing(self.board))
        table.title_justify = "left"
        table.add_column("row", no_wrap=True)
        for name in ("seeds", "predicted", "recovered", "excess", "seconds"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("explained", no_wrap=True)
        several = len(self.board.sweep.groups) > 1
        for row in self._shown():
            cells = (row.ceiling, row.latents, row.excess, row.seconds)
            table.add_row(
                escape(f"{row.group}: {row.label}" if several else row.label),
                f"{len(row.runs)}/{len(self.board.sweep.seeds)}",
                *(format_cell(cell) if row.runs else "" for cell in cells),
                word_for(row) if row.runs else "",
            )
        return table

    def _shown(self) -> list[RowSummary]:
        """All rows, or, where the window is too low for them, those that are under way first."""
        rows, room = self.board.summaries(), max(4, ERR.height - 4)
        if len(rows) <= room:
            return rows
        seeds = len(self.board.sweep.seeds)
        order = sorted(rows, key=lambda r: (not r.runs, len(r.runs) == seeds))
        chosen = {id(row) for row in order[:room]}
        return [row for row in rows if id(row) in chosen]


def _standing(board: SweepProgress) -> str:
    left, done = board.seconds_left, len(board.outcomes)
    words = "" if left is None else f", about {_duration(left)} left"
    return f"{done} of {len(board.jobs)} runs{words}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _print_run(board: SweepProgress, outcome: Outcome | None) -> None:
    if outcome is None:
        ERR.print(f"{board.sweep.name}: {len(board.jobs)} runs")
        return
    record = board.records[outcome.key]
    if record["error"] is not None:
        words = f"failed: {record['error']}"
    else:
        numbers = (format_cell(number(record)) for number in (recovered, ceiling_of))
        words = "recovered {}, predicted {}".format(*numbers)
    found = ", found" if outcome.found else ""
    say(ERR, f"{_standing(board)}; {outcome.key}: {words}{found}")


@contextlib.contextmanager
def progress_count(what: str) -> Iterator[Callable[[int, int], None]]:
    """A live count of how many of how many are done, on standard error, once it is known."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
    with _late_bar(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task(what, total=None)

        def watch(done: int, total: int) -> None:
            bar.start()
            bar.update(task, completed=done, total=total)

        yield watch


def show_catalogue(
    sweeps: Iterable[Sweep], *, experiments: Mapping[str, str], as_json: bool
) -> None:
    """All named studies with what they ask and what they cost; what experiments ask."""
    if as_json:
        named = ("name", "question", "prediction", "runs", "core_minutes")
        listed = [{key: getattr(sweep, key) for key in named} for sweep in sweeps]
        listed += [{"name": name, "question": words} for name, words in experiments.items()]
        print(json.dumps(listed))
        return
    table = plain_table(padding=(0, 2, 0, 0))
    for name, justify in (("study", "left"), ("runs", "right"), ("core-min", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("question")
    for sweep in sweeps:
        table.add_row(sweep.name, str(sweep.runs), format_cell(sweep.core_minutes), sweep.question)
    for name, words in experiments.items():
        table.add_row(name, "", "", f"{words} See `identikit reproduce {name} --help`.")
    OUT.print(table)


def show_prediction(prediction: Prediction) -> None:
    """Ceiling, losses and assumptions, as two tables."""
    bayes, ceiling, loss = prediction.bayes, prediction.ceiling, prediction.sensitivity
    table = plain_table()
    table.add_column("predicted")
    table.add_column("", justify="right")
    for name, value in {
        f"recovery ceiling of {ceiling.dim} dimensions (affine R²)": ceiling.r2_latents,
        "recovery ceiling of a wide representation": ceiling.r2_wide,
        "ceiling of the head rows": ceiling.r2_head,
        "Bayes loss (nats)": bayes.value,
        "loss above it that this width cannot avoid (nats)": ceiling.excess,
        "classes that the best classifier tells apart": bayes.bayes_accuracy,
        "excess per unit of lost R², cheapest distortion (nats)": loss.cheapest,
        "excess per unit of lost R², typical distortion (nats)": loss.typical,
    }.items():
        table.add_row(name, format_cell(value))
    OUT.print(table)
    checks = plain_table()
    for name in ("assumption", "holds", "measured", "consequence"):
        checks.add_column(name)
    for check in prediction.assumptions:
        checks.add_row(check.name, "yes" if check.holds else "NO", check.detail, check.consequence)
    OUT.print(checks)


def show_outcome(run: Run, page: Page, *, as_json: bool) -> None:
    """What a run predicted, recovered and explained, and where its page is."""
    if as_json:
        print(json.dumps(run.result | {"run": str(run.path)}))
        return
    OUT.print(f"\n[bold]{page.title}[/]\n{escape(page.subtitle)}\n", highlight=False)
    OUT.print(_comparison(page))
    OUT.print(f"\n[bold]{escape(page.verdict)}[/]", highlight=False)
    say(OUT, f"page: {run.path / PAGE_FILE}")


def _comparison(page: Page) -> Table:
    """Predicted | recovered | explained; on a narrow terminal the words go below the name."""
    wide = OUT.width >= WIDE
    table = plain_table(padding=(0, 2, 1, 0))
    table.add_column("")
    for name in ("predicted", "recovered"):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("explained")
    for row in page.rows:
        numbers = [escape(format_cell(cell)) for cell in (row.predicted, row.recovered)]
        if wide:
            table.add_row(escape(row.quantity), *numbers, escape(row.explained))
        else:
            table.add_row(f"{escape(row.quantity)}\n[dim]{escape(row.explained)}[/]", *numbers)
    return table
