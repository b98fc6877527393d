"""`identikit simulate`, `demo` and `theory`: simulated worlds."""

import contextlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from identikit.cli.options import Output, run_and_show
from identikit.cli.terminal import ERR, OUT, say
from identikit.core.choice import described
from identikit.core.errors import InputError
from identikit.core.estimate import format_cell
from identikit.core.serialization import plain_table
from identikit.runs.registry import entry_of
from identikit.studies.simulation.config import (
    BUDGET,
    DEMO,
    DiagnosisConfig,
    SimulationConfig,
    from_recipe,
)
from identikit.studies.simulation.recipe_choice import choose_recipe
from identikit.training.recipes import RECIPES, RecipeName
from identikit.worlds.config import WorldConfig

if TYPE_CHECKING:
    from identikit.studies.simulation.result import Prediction


@dataclass(frozen=True, kw_only=True)
class Simulate:
    """Train on a simulated world and compare what was recovered with what theory predicts.

    Example: identikit simulate --objective diet --instances 10240 --classes 100 --dim 5
    --kappa 10 --seed 0

    The defaults are the base row of the paper with the instances of its code. An interrupted run
    goes on from its checkpoint when the same command is given again.
    """

    recipe: Annotated[
        RecipeName | Literal["auto"],
        described(
            "Named settings of encoder, head and training, which others then change; auto: the one "
            "that the world calls for",
            RECIPES,
        ),
    ] = "auto"
    config: Annotated[SimulationConfig, tyro.conf.arg(name="")] = field(
        default_factory=SimulationConfig
    )
    diagnose: bool = False
    """Find out why less was recovered than predicted, by runs that differ in one thing each: an
    oracle, classes for labels, another start, a wider encoder, a longer run, until one cause is
    left."""
    budget: float = BUDGET
    """What these may cost together, in runs like this one."""
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    @classmethod
    def given(cls, words: Sequence[str]) -> "Simulate":
        """The defaults: the recipe among the words sets them, or the world that they describe."""
        named = re.search(r"--recipe[= ](\S+)", " ".join(words))
        if named is None or named[1] == "auto":
            return cls(config=from_recipe(choose_recipe(_world_of(words))[0]))
        return cls(config=from_recipe(named[1]))

    def run(self) -> None:
        """Train, save, print."""
        if self.recipe == "auto":
            name, reason = choose_recipe(self.config.world)
            say(ERR, f"Recipe {name}: {reason}.")
        if self.diagnose:
            config = DiagnosisConfig(simulation=self.config, budget=self.budget)
            run_and_show(entry_of("simulate --diagnose"), config, self.output)
        else:
            run_and_show(entry_of("simulate"), self.config, self.output)


def _world_of(words: Sequence[str]) -> WorldConfig:
    """The world that the options describe; the base row's where they are not understood."""
    nowhere = io.StringIO()
    if {"-h", "--help"} & set(words):
        return WorldConfig()
    try:
        with contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
            config = (tyro.conf.OmitArgPrefixes,)
            return tyro.cli(WorldConfig, args=words, config=config, return_unknown_args=True)[0]
    except (SystemExit, InputError):
        return WorldConfig()


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Watch a network recover hidden factors on a sphere, and get a page about it.

    Example: identikit demo
    """

    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Simulate a world of three latents, which can be drawn."""
        run_and_show(entry_of("simulate"), DEMO, self.output)


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
        from identikit.studies.simulation.run import predict

        prediction = predict(self.config)
        if self.json:
            print(json.dumps(asdict(prediction)))
        else:
            _show(prediction)


def _range(low: float, high: float) -> str:
    return format_cell(low) if low == high else f"{format_cell(low)} to {format_cell(high)}"


def _show(prediction: "Prediction") -> None:
    """Ceiling, losses and assumptions, as two tables."""
    bayes, ceiling, loss = prediction.bayes, prediction.ceiling, prediction.sensitivity
    table = plain_table()
    table.add_column("predicted")
    table.add_column("", justify="right")
    for name, value in {
        f"recovery ceiling of {ceiling.dim} dimensions (affine R²)": ceiling.r2_latents,
        "standard deviation over searches for the optimum": ceiling.r2_deviation,
        "its R² among minima within .001 nats": _range(ceiling.r2_lowest, ceiling.r2_highest),
        "recovery ceiling of a wide representation": ceiling.r2_wide,
        "ceiling of the head rows": ceiling.r2_head,
        "Bayes loss (nats)": bayes.value,
        "loss above it that this width cannot avoid (nats)": ceiling.excess,
        "classes that the best classifier tells apart": bayes.bayes_accuracy,
        "R² moves by up to this times the root of the excess": loss.slope,
        "excess per unit of lost R², cheapest distortion (nats)": loss.cheapest,
        "excess per unit of lost R², typical distortion (nats)": loss.typical,
    }.items():
        table.add_row(name, format_cell(value))
    OUT.print(table)
    checks = plain_table()
    for name in ("assumption", "holds", "measured", "if not"):
        checks.add_column(name)
    for check in prediction.assumptions:
        checks.add_row(check.name, "yes" if check.holds else "NO", check.detail, check.consequence)
    OUT.print(checks)
