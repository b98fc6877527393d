"""The study behind `identikit reproduce dislib`."""

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from identikit.runs.store import Draft
from identikit.runs.study import Outcome, Study, Watch
from identikit.studies.paper.dislib.cell import compute as compute_cell
from identikit.studies.paper.dislib.config import CELL, DISLIB, DisLibConfig
from identikit.studies.paper.dislib.page import cell_page, dislib_page
from identikit.studies.paper.dislib.table import TableProgress, compute

DISLIB_CELL: Study[Any] = Study(
    command=CELL, compute=compute_cell, page=cell_page, label=lambda config: config.label
)
"""One cell of the table."""


def dislib_study(
    *,
    root: Path,
    open_executor: Callable[[], AbstractContextManager[Executor]],
    on_cell: Callable[[TableProgress], None],
) -> Study[Any]:
    """The table, on a given executor, with a watcher."""

    def run(config: DisLibConfig, draft: Draft, watch: Watch | None) -> Outcome:
        return compute(config, draft, root=root, open_executor=open_executor, on_cell=on_cell)

    return Study(command=DISLIB, compute=run, page=dislib_page, label=lambda c: c.budget)
