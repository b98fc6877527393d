"""Options that several commands share, and the way a run is made and shown."""

import sys
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from identikit.cli.terminal import ERR, progress_line, show_outcome
from identikit.report.page import Page
from identikit.runs.executors import ExecutorName, open_executor
from identikit.runs.store import Run
from identikit.runs.study import Study, perform


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where a run goes and how it is printed."""

    out: Path | None = None
    """Folder of the run, which must not exist yet; by default one under runs/ that is named
    after the config, where the same command finds its run again."""
    json: bool = False
    """Print one JSON object, for scripts."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Where the runs of a study are made."""

    workers: int | None = None
    """Processes of one thread each on this machine, by default one per processor core; or jobs in
    SLURM's queue at a time, by default all."""
    executor: ExecutorName = "processes"
    """processes: on this machine; dask: a Dask cluster; slurm: a SLURM cluster."""
    address: str | None = None
    """Of the Dask scheduler, such as tcp://host:8786."""
    options: tuple[str, ...] = ()
    """For SLURM, as NAME=VALUE: partition=cpu time=30."""

    def open(self) -> AbstractContextManager[Executor]:
        """The executor that the options name."""
        return open_executor(
            self.executor, workers=self.workers, address=self.address, options=self.options
        )


def perform_and_show(study: Study[Any], config: Any, output: Output) -> None:
    """Make a run, or find it, and print it."""
    with progress_line(study.command) as watch:
        run, page, found = perform(study, config, out=output.out, on_progress=watch)
    show_finished(run, page, found=found, as_json=output.json)


def show_finished(run: Run, page: Page, *, found: bool, as_json: bool) -> None:
    """Print a run and its page; exit code 130 if it was stopped, 1 if parts of it failed."""
    if found:
        ERR.print(f"found: this run was made before ({run.result['provenance']['started']}).")
    show_outcome(run, page, as_json=as_json)
    if run.interrupted:
        ERR.print("stopped early; the same command goes on where it stopped.")
        sys.exit(130)
    if run.unfinished:
        ERR.print(
            f"{run.result['failed']} runs failed, and the table says why; the same command tries "
            "them again."
        )
        sys.exit(1)
