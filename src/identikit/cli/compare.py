"""`identikit compare`: two sets of features, or the layers of two models."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from identikit.cli.options import Output, run_and_show
from identikit.runs.registry import entry_of
from identikit.studies.compare.config import CompareConfig


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Ask how alike two models are on the same samples, and on which part they must be.

    Example: identikit compare one.npz other.npz

    Folders of several layers (identikit extract --layers) give a matrix of all pairs of layers.
    """

    config: Annotated[CompareConfig, tyro.conf.arg(name="")]
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Compare, save, print."""
        layers = self.config.of_layers()
        if layers is None:
            run_and_show(entry_of("compare"), self.config, self.output)
        else:
            run_and_show(entry_of("compare --layers"), layers, self.output)
