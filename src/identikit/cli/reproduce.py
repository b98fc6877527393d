"""`identikit reproduce`: named studies."""

import json
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from identikit.cli.commands import reproducible
from identikit.cli.options import Execution, Output, run_and_show
from identikit.cli.terminal import OUT
from identikit.core.errors import unknown_name
from identikit.core.estimate import format_cell
from identikit.core.serialization import plain_table
from identikit.runs.registry import entry_of
from identikit.studies.catalogue import sweeps
from identikit.studies.sweeps.config import SweepConfig


@dataclass(frozen=True, kw_only=True)
class Reproduce:
    """Run a named study: many simulations, one table of predicted, recovered, explained.

    Example: identikit reproduce table3 --workers 4

    Runs that were made before are found; a study that was stopped or killed goes on when the same
    command is given again. Without a name, or with --list, all studies are listed.
    """

    config: Annotated[SweepConfig, tyro.conf.arg(name="")] = field(default_factory=SweepConfig)
    list: bool = False
    """List all studies with what they cost, and run none."""
    execution: Annotated[Execution, tyro.conf.arg(name="")] = field(default_factory=Execution)
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Run what is missing, save, print."""
        if self.list or not self.config.name:
            _show_catalogue(as_json=self.output.json)
            return
        if self.config.name not in sweeps():
            raise unknown_name("study", self.config.name, [*sweeps(), *reproducible()])
        run_and_show(entry_of("reproduce"), self.config, self.output, execution=self.execution)


def _show_catalogue(*, as_json: bool) -> None:
    """All named studies with what they ask and what they cost."""
    others = {short: entry_of(name) for short, name in reproducible().items()}
    if as_json:
        named = ("name", "question", "prediction", "runs", "core_minutes")
        listed = [{key: getattr(sweep, key) for key in named} for sweep in sweeps().values()]
        listed += [
            {"name": short, "question": entry.help, "core_minutes": entry.core_minutes}
            for short, entry in others.items()
        ]
        print(json.dumps(listed))
        return
    table = plain_table(padding=(0, 2, 0, 0))
    table.add_column("study", no_wrap=True)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("core-min", justify="right", no_wrap=True)
    table.add_column("question")
    for sweep in sweeps().values():
        table.add_row(sweep.name, str(sweep.runs), format_cell(sweep.core_minutes), sweep.question)
    for short, entry in others.items():
        table.add_row(short, "", format_cell(entry.core_minutes), entry.help)
    OUT.print(table)
