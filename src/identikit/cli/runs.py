"""`identikit runs`: what lies in a folder of runs, and what is to become of it."""

import json
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import tyro

from identikit.cli.terminal import ERR, OUT, progress_count, say, show_run
from identikit.core.errors import InputError, printable
from identikit.core.estimate import format_cell
from identikit.core.serialization import plain_table
from identikit.runs.labels import set_name, set_tags
from identikit.runs.records import Record, chosen, one_of, ordered, records
from identikit.runs.store import DEFAULT_ROOT, Run, remove

Words = Annotated[str, tyro.conf.Positional]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the runs are and how they are printed."""

    root: Path = DEFAULT_ROOT
    """Folder of all runs."""
    json: bool = False
    """Print JSON, for scripts."""

    def records(self) -> list[Record]:
        """All of them."""
        with progress_count("runs that are new") as watch:
            return records(self.root, watch=watch)

    def run(self, words: str) -> Run:
        """The run that is meant."""
        return Run.load(self.root / one_of(self.records(), words).folder)


Where = Annotated[Place, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which runs are meant."""

    study: str | None = None
    """Those of this study only."""
    where: tuple[str, ...] = ()
    """Those whose config or result says so, as NAME=VALUE: kappa=50 objective=diet."""
    tag: str | None = None
    """Those with this tag."""

    def of(self, found: Sequence[Record]) -> list[Record]:
        """Those among records."""
        return chosen(found, study=self.study, where=self.where, tag=self.tag)


Selected = Annotated[Selection, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class List:
    """List the runs in a folder, the newest first; what `identikit runs` does by itself.

    Example: identikit runs --study simulate --where kappa=50 --sort excess
    """

    selection: Selected = field(default_factory=Selection)
    sort: str | None = None
    """By a value of config or result, or by started, size, state, ...: from the smallest on."""
    reverse: bool = False
    """The other way round."""
    place: Where = field(default_factory=Place)

    def run(self) -> None:
        """Print them."""
        found = self.selection.of(self.place.records())
        found = found if self.sort is None else ordered(found, self.sort)
        found = found[::-1] if self.reverse else found
        if self.place.json:
            print(json.dumps([record.plain() for record in found]))
            return
        _show(found)


@dataclass(frozen=True, kw_only=True)
class Show:
    """Print what a run says, and what is known of it.

    Example: identikit runs show 0123456789
    """

    name: Words
    """Its name, folder or hash, or the beginning of one of these."""
    place: Where = field(default_factory=Place)

    def run(self) -> None:
        """Print it."""
        record = one_of(self.place.records(), self.name)
        if self.place.json:
            print(json.dumps(record.plain()))
            return
        if record.state not in ("damaged", "running", "stopped"):
            show_run(Run.load(self.place.root / record.folder), as_json=False)
        known = {
            "folder": self.place.root / record.folder,
            "name": record.name,
            "tags": ", ".join(record.tags),
            "state": record.state + (f": {record.detail}" if record.detail else ""),
            "started": record.started,
            "size": _size(record.size),
            "made of": f"{len(record.parts):,} runs" if record.parts else "",
        }
        for name, value in known.items():
            if value:
                say(OUT, f"{name}: {value}")


@dataclass(frozen=True, kw_only=True)
class Remove:
    """Delete runs for good; what is to go is listed, and you are asked.

    Example: identikit runs rm --study simulate --older-than 30d

    A run that is being written is left alone.
    """

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Of runs; without any, all that the options describe."""
    selection: Selected = field(default_factory=Selection)
    older_than: str | None = None
    """Only those that were started longer ago: 30d, 12h."""
    partial: bool = False
    """Only what killed commands left behind; their commands then begin anew."""
    orphaned: bool = False
    """Only those that no command finds any more: damaged, or made by another version."""
    yes: bool = False
    """Do not ask."""
    place: Where = field(default_factory=Place)

    def run(self) -> None:
        """List, ask, delete."""
        everything = self.place.records()
        named = {one_of(everything, name): None for name in self.names}
        found = list(named) or everything
        options = (self.selection != Selection(), self.older_than, self.partial, self.orphaned)
        if not (self.names or any(options)):
            raise InputError("which runs? Give names, or options such as --older-than 30d.")
        before = None if self.older_than is None else _ago(self.older_than)
        going = [
            record
            for record in self.selection.of(found)
            if (self.names or record.state != "running")
            and (before is None or datetime.fromisoformat(record.started) < before)
            and (not (self.partial or self.orphaned) or self._left(record))
        ]
        if going and not self._agreed(going):
            say(ERR, "nothing was deleted.")
            sys.exit(1)
        for record in going:
            remove(self.place.root / record.folder)
        if self.place.json:
            print(json.dumps([record.folder for record in going]))
        else:
            print(f"{_count(going)} deleted")

    def _left(self, record: Record) -> bool:
        return (self.partial and record.partial) or (self.orphaned and record.orphaned)

    def _agreed(self, going: Sequence[Record]) -> bool:
        if self.yes:
            return True
        if not sys.stdin.isatty():
            raise InputError(f"{_count(going)} would go, and nobody can be asked. Give --yes.")
        _show(going)
        return input(f"Delete {_count(going)} for good? [y/N] ").strip().lower() in ("y", "yes")


@dataclass(frozen=True, kw_only=True)
class Differ:
    """Print how two runs differ: their options, and their findings side by side.

    Example: identikit runs diff 0123456789 my-baseline

    The difference has the 95 % interval of that of independent estimates.
    """

    a: Words
    """A run."""
    b: Words
    """Another one."""
    place: Where = field(default_factory=Place)

    def run(self) -> None:
        """Compare and print."""
        from identikit.runs.difference import difference

        found = difference(self.place.run(self.a), self.place.run(self.b))
        if self.place.json:
            print(json.dumps({"a": self.a, "b": self.b, **asdict(found)}))
            return
        options, findings = plain_table(), plain_table()
        for name in ("option", self.a, self.b):
            options.add_column(printable(name, keep=""), overflow="fold")
        for name, values in found.config.items():
            options.add_row(name, *map(format_cell, values))
        for name in ("finding", self.a, self.b, "difference"):
            justify: Any = "left" if name == "finding" else "right"
            findings.add_column(printable(name, keep=""), justify=justify, overflow="fold")
        for each in found.findings:
            label = f"{each.name} ({each.measure})" if each.measure else each.name
            findings.add_row(label, *map(format_cell, (each.a, each.b, each.difference)))
        OUT.print(options if found.config else "Both have the same config.")
        OUT.print()
        OUT.print(findings)


@dataclass(frozen=True, kw_only=True)
class Name:
    """Give a run a name of your own, by which it is then found; an empty one takes it away.

    Example: identikit runs name 0123456789 my-baseline
    """

    run_: Annotated[Words, tyro.conf.arg(name="run")]
    """The run."""
    name: Words
    """No other run in the folder has it."""
    place: Where = field(default_factory=Place)

    def run(self) -> None:
        """Write it beside the run."""
        found = self.place.records()
        record = one_of(found, self.run_)
        taken = next((r for r in found if self.name in r.called and r != record), None)
        if taken is not None:
            raise InputError(f"{self.name!r} is {taken.folder} already. Give another name.")
        set_name(self.place.root / record.folder, self.name)
        _tell(self.place, {"folder": record.folder, "name": self.name})


@dataclass(frozen=True, kw_only=True)
class Tag:
    """Add tags to a run, or take them away.

    Example: identikit runs tag my-baseline paper figure-2
    """

    run_: Annotated[Words, tyro.conf.arg(name="run")]
    """The run."""
    tags: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """To add."""
    remove: tuple[str, ...] = ()
    """To take away."""
    place: Where = field(default_factory=Place)

    def run(self) -> None:
        """Write them beside the run."""
        record = one_of(self.place.records(), self.run_)
        tags = set_tags(self.place.root / record.folder, self.tags, self.remove)
        _tell(self.place, {"folder": record.folder, "tags": tags})


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Find, compare, name and delete runs.

    Without a word after it the runs are listed.

    Example: identikit runs --where kappa=50

    Example: identikit runs diff 0123456789 9876543210
    """

    action: (
        Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Show, tyro.conf.subcommand("show")]
        | Annotated[Differ, tyro.conf.subcommand("diff")]
        | Annotated[Name, tyro.conf.subcommand("name")]
        | Annotated[Tag, tyro.conf.subcommand("tag")]
        | Annotated[Remove, tyro.conf.subcommand("rm")]
    )

    @classmethod
    def completed(cls, words: Sequence[str]) -> Sequence[str]:
        """The words of a command line that may leave out `list`."""
        listing = not words or (words[0].startswith("-") and words[0] not in ("-h", "--help"))
        return ["list", *words] if listing else words

    def run(self) -> None:
        """Do what was asked."""
        self.action.run()


def _tell(place: Place, said: dict[str, Any]) -> None:
    print(
        json.dumps(said) if place.json else "; ".join(f"{k}: {_said(v)}" for k, v in said.items())
    )


def _said(value: object) -> str:
    return (", ".join(value) if isinstance(value, tuple) else str(value)) or "none"


def _show(found: Sequence[Record]) -> None:
    """A line for each run, then its headline; made without a table, which takes long for many."""
    heads = ("study", "world or model", "name", "started", "size", "state")
    rows = [heads, *(_cells(record) for record in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    width, lines = OUT.width - 4, list[str]()
    for row, record in zip(rows, (None, *found), strict=True):
        lines.append("  ".join(map(str.ljust, row, widths)).rstrip())
        if record is not None and record.headline:
            said = f"{record.word}: {record.headline}"
            lines.append(f"    {said if len(said) <= width else said[: width - 4] + ' ...'}")
    print("\n".join(printable(line, keep="") for line in (*lines, _count(found))))


def _cells(record: Record) -> tuple[str, ...]:
    tags = f" [{', '.join(record.tags)}]" if record.tags else ""
    far = record.detail if record.state in ("running", "stopped", "interrupted") else ""
    state = f"{record.state}, {far}" if far else record.state
    name, when = record.short + tags, record.started[:16]
    return record.study, record.label, name, when, _size(record.size), state


def _count(found: Sequence[Record]) -> str:
    runs = "1 run" if len(found) == 1 else f"{len(found):,} runs"
    return f"{runs}, {_size(sum(record.size for record in found))}"


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"


def _ago(span: str) -> datetime:
    units = {"d": "days", "h": "hours", "m": "minutes"}
    said = re.fullmatch(r"(\d+)\s*([dhm])", span)
    with suppress(OverflowError):  # before the year 1
        if said is not None:
            return datetime.now(UTC) - timedelta(**{units[said[2]]: int(said[1])})
    raise InputError(f"--older-than takes days, hours or minutes: 30d, 12h, 5m; got {span!r}.")
