"""How a sweep stands, and its live table."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape

from identikit.core.estimate import format_cell, format_time_left
from identikit.core.serialization import plain_table
from identikit.runs.jobs import Job, JobOutcome, seconds_left
from identikit.studies.sweeps.records import Record, RowRecord, RunRecord
from identikit.studies.sweeps.summary import RowSummary, summarise, word_for
from identikit.studies.sweeps.sweep import Row, Sweep


@dataclass
class SweepProgress:
    """How a sweep stands."""

    sweep: Sweep
    jobs: dict[str, Job]
    started: float = field(default_factory=time.monotonic)
    outcomes: dict[str, JobOutcome] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    last: JobOutcome | None = None
    """What was just finished; None at the start."""

    @property
    def done(self) -> int:
        """Runs that were made, found or failed."""
        return len(self.outcomes)

    @property
    def total(self) -> int:
        """Runs, oracles and untied ones among them once they are known."""
        return len(self.jobs)

    @property
    def seconds_left(self) -> float | None:
        """By the runner's rule; None at first."""
        known = dict(self.outcomes)  # the live table asks while runs come in
        return seconds_left(dict(self.jobs), known, started=self.started)

    @property
    def words(self) -> str:
        """What became of the last run."""
        if self.last is None:
            return f"{self.sweep.name}: starting"
        record = self.records[self.last.key]
        found = ", found" if self.last.found else ""
        if not isinstance(record, RunRecord):
            return f"{self.last.key}: failed: {record.error}{found}"
        recovered, predicted = map(format_cell, (record.recovered, record.ceiling))
        return f"{self.last.key}: recovered {recovered}, predicted {predicted}{found}"

    def add(self, outcome: JobOutcome, record: Record) -> None:
        """Take in a finished run."""
        self.records[outcome.key] = record
        self.outcomes[outcome.key] = outcome
        self.last = outcome

    def row(self, row: Row) -> RowRecord:
        """What is known of a row."""
        keys = [run_key(row, seed) for seed in self.sweep.seeds]
        return RowRecord(
            label=row.label,
            group=row.group,
            x=row.x,
            runs=tuple(self.records[key] for key in keys if key in self.records),
            oracle=self.records.get(oracle_key(row)),
            untied=self.records.get(untied_key(row)),
            paper=row.paper,
            beside=row.beside,
        )

    def lines(self) -> list[RowSummary]:
        """All lines of the table as they stand."""
        return [summarise(self.row(row)) for row in self.sweep.rows]

    def __rich__(self) -> "Board":
        return Board(self)


def run_key(row: Row, seed: int) -> str:
    """The name of a row's run with a seed."""
    return f"{row.key}, seed {seed}"


def untied_key(row: Row) -> str:
    """Of the run of a row whose labels have rows of their own throughout."""
    return f"{row.key}, untied"


def oracle_key(row: Row) -> str:
    """The name of a row's oracle."""
    return f"{row.key}, oracle"


@dataclass(frozen=True)
class Board:
    """The live table: drawn anew at each refresh, so that the clock runs."""

    progress: SweepProgress

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        sweep = self.progress.sweep
        table = plain_table(title=self._standing(), title_justify="left")
        table.add_column("row", no_wrap=True)
        for name in ("seeds", "predicted", "recovered", "excess", "seconds"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("explained", no_wrap=True)
        several = len(sweep.groups) > 1
        for line in self._shown(max(4, console.height - 4)):
            row, runs = line.row, line.row.runs
            cells = (line.ceiling, line.latents, line.excess, line.seconds)
            table.add_row(
                escape(row.key if several else row.label),
                f"{len(runs)}/{len(sweep.seeds)}",
                *(format_cell(cell) if runs else "" for cell in cells),
                word_for(line) if runs else "",
            )
        yield table

    def _standing(self) -> str:
        left = format_time_left(self.progress.seconds_left)
        return f"{self.progress.done} of {self.progress.total} runs{left}"

    def _shown(self, room: int) -> list[RowSummary]:
        """All lines, or, where the window is too low for them, those that are under way first."""
        lines, seeds = self.progress.lines(), len(self.progress.sweep.seeds)
        if len(lines) <= room:
            return lines
        order = sorted(lines, key=lambda line: (not line.row.runs, len(line.row.runs) == seeds))
        chosen = {id(line) for line in order[:room]}
        return [line for line in lines if id(line) in chosen]
