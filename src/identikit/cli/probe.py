"""`identikit probe`: features, or the layers of a model."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from identikit.cli.options import Output, run_and_show
from identikit.runs.registry import entry_of
from identikit.studies.probe.config import ProbeConfig


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Ask what is linearly in anybody's features, how sure that is, and what was learned.

    Example: identikit probe features --factors table.csv --key key

    Control features of the same samples say what was learned and what was there before: --controls
    untrained=twin.npy x=pixels.npy.

    A folder of layers (identikit extract --layers), or several folders of the same samples, gives a
    curve over layers for each factor and its best layer. Files are then told by --layers: identikit
    probe --layers one.npy two.npy --factors table.csv
    """

    config: Annotated[ProbeConfig, tyro.conf.arg(name="")]
    layers: bool = False
    """Every path is a layer, or a model, by itself, and no part of one set of features: for files,
    since several folders and a folder of layers need not be told."""
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Probe, save, print."""
        layers = self.config.of_layers(each=self.layers)
        if layers is None:
            run_and_show(entry_of("probe"), self.config, self.output)
        else:
            run_and_show(entry_of("probe --layers"), layers, self.output)
