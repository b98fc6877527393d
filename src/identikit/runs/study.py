"""What a study is to the runner, and the one way a run is made, saved, drawn and found again."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from identikit.report.page import Page, save_figures, save_tables, write_page
from identikit.runs.provenance import command_line, machine, versions
from identikit.runs.store import DEFAULT_ROOT, Draft, Run, RunStore
from identikit.training.fit import Progress

PAGE_FILE = "report.html"
Config = TypeVar("Config")
Watch = Callable[[Progress], None]
Outcome = tuple[dict[str, Any], Mapping[str, NDArray[Any]]]
"""A result as it goes into result.json, and the arrays that its figures need."""


@dataclass(frozen=True, kw_only=True)
class Study(Generic[Config]):
    """A kind of run."""

    command: str
    """The command that makes such runs."""
    compute: Callable[[Config, Draft, Watch | None], Outcome]
    """From config to result; may keep a checkpoint in the draft."""
    page: Callable[[Run], Page]
    """The page of a saved run."""
    label: Callable[[Config], str]
    """A few words for the folder's name, beside the config's hash."""


def make(
    study: Study[Config],
    config: Config,
    *,
    root: Path = DEFAULT_ROOT,
    out: Path | None = None,
    on_progress: Watch | None = None,
    finish: Callable[[Run], None] | None = None,
    wait: bool = False,
) -> tuple[Run, bool]:
    """The finished run of a config, made now unless found, not drawn; whether it was found.

    Args:
        study: What to run.
        config: Decides every number.
        root: Folder of all runs.
        out: Folder of this run, if not one under `root`.
        on_progress: Told how training stands.
        finish: Called with a new run before it moves to its place, which it does only then.
        wait: Wait for another process that is writing this very run.

    Raises:
        InputError: the output folder exists or is being written by another process.
    """
    store, label = RunStore(root), study.label(config)
    with store.draft(study.command, config, label=label, out=out, wait=wait) as draft:
        if isinstance(draft, Run):
            return draft, True
        resumed = draft.checkpoint.exists()
        started, clock = datetime.now(UTC), time.perf_counter()
        result, arrays = study.compute(config, draft, on_progress)
        origin = {
            "command": command_line(study.command, config),
            "versions": versions(),
            "machine": machine(),
            "started": started.isoformat(" ", "seconds"),
            "seconds": time.perf_counter() - clock,
            "resumed": resumed,
        }
        written = draft.write(result | {"provenance": origin}, arrays)
        if finish is not None:
            finish(written)
        return draft.publish(), False


def perform(
    study: Study[Config],
    config: Config,
    *,
    out: Path | None = None,
    root: Path = DEFAULT_ROOT,
    on_progress: Watch | None = None,
    wait: bool = False,
) -> tuple[Run, Page, bool]:
    """The finished run of a config, made now unless found; its page; whether found.

    Takes what `make` takes.

    Raises:
        InputError: the output folder exists or is being written by another process.
    """
    pages: list[Page] = []

    def finish(run: Run) -> None:
        pages.append(study.page(run))
        draw(pages[0], run)

    run, found = make(
        study, config, out=out, root=root, on_progress=on_progress, finish=finish, wait=wait
    )
    if found:
        pages.append(study.page(run))
        if not (run.path / PAGE_FILE).exists():  # a sweep leaves its runs undrawn
            draw(pages[0], run)
    return run, pages[0], found


def draw(page: Page, run: Run) -> None:
    """Write the page, its figures and its tables into the folder of its run."""
    figures = run.path / "figures"
    figures.mkdir(exist_ok=True)
    save_figures(page, figures)
    save_tables(page, run.path / "tables")
    write_page(page, run.path / PAGE_FILE)
