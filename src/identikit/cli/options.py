"""Options that several commands share, and the way a run is made and shown."""

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from identikit.cli.terminal import ERR, live, say, show_run
from identikit.runs.config import StudyConfig
from identikit.runs.lookup import study_of
from identikit.runs.registry import Entry
from identikit.runs.store import DEFAULT_ROOT, PAGE_FILE, Run, RunStore, clear_locks

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where a run goes and how it is printed."""

    out: Path | None = None
    """Folder of the run, which must not exist yet; by default one under runs/ that is named
    after the config, where the same command finds its run again."""
    restart: bool = False
    """Throw away what was left of the run when it was stopped, checkpoints above all, and begin
    anew; a finished run is found as ever."""
    json: bool = False
    """Print one JSON object, for scripts."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Where the runs of a study are made."""

    workers: int | None = None
    """Processes of one thread each on this machine, by default one per processor core; or jobs in
    SLURM's queue at a time, by default all."""
    executor: Literal["processes", "dask", "slurm"] = "processes"
    """processes: on this machine; dask: a Dask cluster; slurm: a SLURM cluster."""
    address: str | None = None
    """Of the Dask scheduler, such as tcp://host:8786."""
    options: tuple[str, ...] = ()
    """For SLURM, as NAME=VALUE: partition=cpu time=30."""

    def open(self) -> "AbstractContextManager[Executor]":
        """The executor that the options name."""
        from identikit.runs.executors import open_executor

        return open_executor(
            self.executor, workers=self.workers, address=self.address, options=self.options
        )


def run_and_show(
    entry: Entry, config: StudyConfig, output: Output, *, execution: Execution | None = None
) -> None:
    """Make a run, or find it, and print it."""
    config = config.with_digest()
    if show_if_found(entry, config, output):
        return
    store = RunStore(DEFAULT_ROOT, command=entry.name, version=entry.version)
    if output.out is None and (old := store.outdated(config, label=config.label)) is not None:
        say(ERR, f"{old} is this run by another version of identikit; it is made anew.")
    from identikit.runs.study import run_and_report

    clear_locks(DEFAULT_ROOT)
    options: dict[str, Any] = {"warn": partial(say, ERR), "restart": output.restart}
    if execution is not None:
        if execution.workers is None and getattr(config, "device", None) == "cuda":
            execution = replace(execution, workers=1)  # one process at a time on a GPU
        execution.open()  # refuses what cannot be, before anything is written
        options |= {"open_executor": execution.open, "wait": True}
    with live(entry.name) as tell:
        done = run_and_report(study_of(entry.name), config, out=output.out, tell=tell, **options)
    show_finished(done.run, found=done.found, as_json=output.json)


def show_if_found(entry: Entry, config: StudyConfig, output: Output) -> bool:
    """Print a run that was made and drawn before, unless it is to go to a folder of its own."""
    store = RunStore(DEFAULT_ROOT, command=entry.name, version=entry.version)
    found = store.find(config, label=config.label) if output.out is None else None
    if found is None or not (found.path / PAGE_FILE).exists():
        return False
    show_finished(found, found=True, as_json=output.json)
    return True


def show_finished(run: Run, *, found: bool, as_json: bool) -> None:
    """Print a run; exit code 130 if it was stopped, 1 if parts of it failed."""
    if found:
        say(ERR, f"found: this run was made before ({run.origin['started']}).")
    show_run(run, as_json=as_json)
    if run.interrupted:
        say(ERR, "stopped early; the same command goes on where it stopped.")
        sys.exit(130)
    if run.unfinished:
        say(
            ERR,
            "some runs failed, and the table says why; the same command tries them again.",
        )
        sys.exit(1)
