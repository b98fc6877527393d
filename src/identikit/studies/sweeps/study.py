"""The sweep as a kind of run, and the pages of its runs."""

from collections.abc import Callable
from pathlib import Path

from identikit.runs.executors import processes
from identikit.runs.lookup import page_of
from identikit.runs.store import PAGE_FILE, Run
from identikit.runs.study import Study, draw
from identikit.studies.sweeps.page import sweep_page
from identikit.studies.sweeps.records import RunRecord
from identikit.studies.sweeps.result import SweepResult
from identikit.studies.sweeps.run import compute

SWEEP = Study(name="reproduce", result=SweepResult, compute=compute, page=sweep_page)
"""`identikit reproduce`."""


def draw_runs(run: Run, *, on_drawn: Callable[[int, int], None]) -> None:
    """Draw the pages of a sweep's runs that have none yet, on all cores.

    Args:
        run: The sweep's.
        on_drawn: Told how many of how many are drawn.

    Raises:
        InputError: a run that is not a sweep's, or of another version.
    """
    rows = SWEEP.read(run).rows
    records = [record for row in rows for record in (*row.runs, row.oracle, row.untied)]
    folders = {run.path.parent / r.path for r in records if isinstance(r, RunRecord)}
    missing = sorted(folder for folder in folders if not (folder / PAGE_FILE).exists())
    on_drawn(0, len(missing))
    if not missing:
        return
    with processes() as executor:
        for done, _ in enumerate(executor.map(_draw, missing), start=1):
            on_drawn(done, len(missing))


def _draw(folder: Path) -> None:
    run = Run.load(folder)
    draw(page_of(run), run)
