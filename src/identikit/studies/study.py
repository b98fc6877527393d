"""What a study is to the runner, and the one way a run is made, saved, drawn and found again."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from identikit.report.page import Page, save_figures, write_page
from identikit.studies.provenance import command_line, machine, versions
from identikit.studies.store import DEFAULT_ROOT, Draft, Run, RunStore
from identikit.training.fit import Progress

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


def perform(
    study: Study[Config],
    config: Config,
    *,
    out: Path | None = None,
    root: Path = DEFAULT_ROOT,
    on_progress: Watch | None = None,
) -> tuple[Run, Page, bool]:
    """The finished run of a config, made now unless found; its page; whether found.

    Raises:
        InputError: the output folder exists or is being written by another process.
    """
    store = RunStore(root)
    with store.draft(study.command, config, label=study.label(config), out=out) as draft:
        if isinstance(draft, Run):
            return draft, study.page(draft), True
        started, clock = datetime.now(UTC), time.perf_counter()
        result, arrays = study.compute(config, draft, on_progress)
        origin = {
            "command": command_line(study.command, config),
            "versions": versions(),
            "machine": machine(),
            "started": started.isoformat(" ", "seconds"),
            "seconds": time.perf_counter() - clock,
        }
        page = draw(study, draft.write(result | {"provenance": origin}, arrays))
        return draft.publish(), page, False


def draw(study: Study[Any], run: Run) -> Page:
    """Write the page and the figures of a run into its folder."""
    page = study.page(run)
    figures = run.path / "figures"
    figures.mkdir(exist_ok=True)
    save_figures(page, figures)
    write_page(page, run.path / "report.html")
    return page
