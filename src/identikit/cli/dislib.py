"""`identikit reproduce dislib`: classifiers of one factor of an image grid."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from identikit.cli.options import Execution, Output, show_finished
from identikit.cli.terminal import ERR, say
from identikit.runs.options import chosen_device
from identikit.runs.store import DEFAULT_ROOT
from identikit.runs.study import perform
from identikit.studies.paper.dislib import DisLibConfig
from identikit.studies.paper.dislib.study import dislib_study
from identikit.studies.paper.dislib.table import TableProgress


@dataclass(frozen=True, kw_only=True)
class DisLib:
    """Taught one factor of an image grid, what do networks know of the others? (Table 4).

    Example: identikit reproduce dislib --budget laptop --worlds sprites --encoders pixels mlp

    Cells that were made before are found; a table that was stopped or killed goes on when the
    same command is given again.
    """

    config: Annotated[DisLibConfig, tyro.conf.arg(name="")] = field(default_factory=DisLibConfig)
    execution: Annotated[Execution, tyro.conf.arg(name="")] = field(default_factory=Execution)
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Make what is missing, save, print."""
        device, execution = chosen_device(self.config.device), self.execution
        if device == "cuda" and execution.workers is None:
            execution = replace(execution, workers=1)  # one process at a time on a GPU
        config = replace(self.config, device=device).with_digests()
        execution.open()  # refuses what cannot be, before anything is written
        with _board() as watch:
            study = dislib_study(root=DEFAULT_ROOT, open_executor=execution.open, on_cell=watch)
            run, page, found = perform(study, config, out=self.output.out, wait=True)
        show_finished(run, page, found=found, as_json=self.output.json)


@contextlib.contextmanager
def _board() -> Iterator[Callable[[TableProgress], None]]:
    """A live line on standard error; without a terminal a line per cell."""
    if not ERR.is_terminal:
        yield lambda standing: say(
            ERR, f"{standing.done} of {standing.cells} cells{_left(standing)}; {standing.words}"
        )
        return
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=ERR) as bar:
        task = bar.add_task("")

        def watch(standing: TableProgress) -> None:
            words = f"cells{_left(standing)} {standing.words}"
            bar.update(task, completed=standing.done, total=standing.cells, description=words)

        yield watch


def _left(standing: TableProgress) -> str:
    left = standing.seconds_left
    return "" if left is None else f", about {left / 60:.0f} min left"
