"""`identikit simulate`, `demo` and `theory`: simulated worlds."""

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal

import tyro

from identikit.cli.options import Output, perform_and_show
from identikit.cli.terminal import show_prediction
from identikit.studies.simulation import DEMO, SIMULATE, SimulationConfig, predict

RecipeName = Literal["fast", "flat", "wide", "crowded", "pixels", "paper"]


@dataclass(frozen=True, kw_only=True)
class Simulate:
    """Train on a simulated world and compare what was recovered with what theory predicts.

    Example: identikit simulate --objective diet --instances 10240 --classes 100 --dim 5
    --kappa 10 --seed 0

    The defaults are the base row of the paper. An interrupted run goes on from its checkpoint
    when the same command is given again.
    """

    recipe: RecipeName = "fast"
    """Named settings of encoder, head and training, which other options then change. flat: for few
    or far-apart classes; wide: for some twenty latents; pixels: for rendered images; paper: the
    protocol of arXiv:2410.21869, hours long."""
    config: Annotated[SimulationConfig, tyro.conf.arg(name="")] = field(
        default_factory=SimulationConfig
    )
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Train, save, print."""
        perform_and_show(SIMULATE, self.config, self.output)


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Watch a network recover hidden factors on a sphere, and get a page about it.

    Example: identikit demo
    """

    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Simulate a world of three latents, which can be drawn."""
        perform_and_show(SIMULATE, DEMO, self.output)


@dataclass(frozen=True, kw_only=True)
class Theory:
    """Say what theory predicts of a simulated world, without training.

    Example: identikit theory --conditional laplace --scale 0.5
    """

    config: Annotated[SimulationConfig, tyro.conf.arg(name="")] = field(
        default_factory=SimulationConfig
    )
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Predict and print."""
        prediction = predict(self.config)
        if self.json:
            print(json.dumps(asdict(prediction)))
        else:
            show_prediction(prediction)
