"""`identikit train`: by itself, or as one of the ranks that torchrun starts."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from identikit.cli.options import Output, run_and_show
from identikit.core.errors import InputError
from identikit.runs.registry import entry_of
from identikit.studies.train.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a network on your own images with DIET, classes or InfoNCE, and say what it knows.

    Example: identikit train --images photos --model timm:resnet18 --out run

    Then: identikit probe run --factors table.csv. A command that was stopped or killed goes on
    where it stopped when it is given again, to the same numbers.

    On several processes or GPUs: torchrun --nproc-per-node 2 -m identikit train ...
    """

    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Train, save, print."""
        from identikit.core.ranks import joined, rank, started_by_torchrun, told

        if not started_by_torchrun():
            run_and_show(entry_of("train"), self.config, self.output)
            return
        with joined(self.config.on()):
            if rank():
                from identikit.studies.train.run import follow

                follow(self.config)
                return
            try:
                run_and_show(entry_of("train"), self.config, self.output)
            except InputError:
                told(None)
                raise
            told(None)
