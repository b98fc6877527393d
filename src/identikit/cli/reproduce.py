"""`identikit reproduce`: named studies."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from identikit.cli.experiments import EXPERIMENTS
from identikit.cli.options import Execution, Output, show_finished
from identikit.cli.terminal import progress_board, show_catalogue
from identikit.core.errors import unknown_name
from identikit.runs.store import DEFAULT_ROOT
from identikit.runs.study import perform
from identikit.studies.catalogue import sweeps
from identikit.studies.sweeps.run import SweepConfig
from identikit.studies.sweeps.study import sweep_study


@dataclass(frozen=True, kw_only=True)
class Reproduce:
    """Run a named study: many simulations, one table of predicted, recovered and explained.

    Example: identikit reproduce table3 --workers 4

    Runs that were made before are found; a study that was stopped or killed goes on when the
    same command is given again. Without a name, or with --list, all studies are listed.
    """

    config: Annotated[SweepConfig, tyro.conf.arg(name="")] = field(default_factory=SweepConfig)
    list: bool = False
    """List all studies with what they cost, and run none."""
    execution: Annotated[Execution, tyro.conf.arg(name="")] = field(default_factory=Execution)
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Run what is missing, save, print."""
        if self.list or not self.config.name:
            show_catalogue(sweeps().values(), experiments=_questions(), as_json=self.output.json)
            return
        if self.config.name not in sweeps():
            raise unknown_name("study", self.config.name, [*sweeps(), *EXPERIMENTS])
        config = self.config.with_digest()
        self.execution.open()  # refuses what cannot be, before anything is written
        with progress_board() as watch:
            study = sweep_study(
                root=DEFAULT_ROOT, open_executor=self.execution.open, on_board=watch
            )
            run, page, found = perform(study, config, out=self.output.out, wait=True)
        show_finished(run, page, found=found, as_json=self.output.json)


def _questions() -> dict[str, str]:
    """What each experiment on images asks."""
    return {name: str(kind.__doc__).splitlines()[0] for name, kind in EXPERIMENTS.items()}
