"""The study behind `identikit reproduce`, and the pages of its runs."""

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from identikit.core.errors import InputError
from identikit.runs.executors import processes
from identikit.runs.jobs import Outcome
from identikit.runs.store import Draft, Run
from identikit.runs.study import PAGE_FILE, Study, Watch, draw
from identikit.runs.study import Outcome as Result
from identikit.studies.simulation.study import SIMULATE
from identikit.studies.sweeps.config import SweepConfig
from identikit.studies.sweeps.page import sweep_page
from identikit.studies.sweeps.run import SweepProgress, compute


def sweep_study(
    *,
    root: Path,
    open_executor: Callable[[], AbstractContextManager[Executor]],
    on_board: Callable[[SweepProgress, Outcome | None], None],
) -> Study[Any]:
    """The study behind `identikit reproduce`, on a given executor, with a watcher."""

    def run(config: SweepConfig, draft: Draft, watch: Watch | None) -> Result:
        return compute(config, draft, root=root, open_executor=open_executor, on_board=on_board)

    return Study(command="reproduce", compute=run, page=sweep_page, label=lambda c: c.name)


def draw_runs(run: Run, *, on_drawn: Callable[[int, int], None]) -> None:
    """Draw the pages of a sweep's runs that have none yet, on all cores.

    Args:
        run: The sweep's.
        on_drawn: Told how many of how many are drawn.

    Raises:
        InputError: a run that is not a sweep's.
    """
    if run.command != "reproduce":
        raise InputError(
            f"{run.path} is not a study; got a run of {run.command}. Leave out --runs."
        )
    rows = run.result["rows"]
    records = [
        record for row in rows for record in (*row["runs"], row.get("oracle")) if record is not None
    ]
    folders = {run.path.parent / r["path"] for r in records if r["path"] is not None}
    missing = sorted(folder for folder in folders if not (folder / PAGE_FILE).exists())
    on_drawn(0, len(missing))
    if not missing:
        return
    with processes() as executor:
        for done, _ in enumerate(executor.map(_draw, missing), start=1):
            on_drawn(done, len(missing))


def _draw(folder: Path) -> None:
    run = Run.load(folder)
    draw(SIMULATE.page(run), run)
