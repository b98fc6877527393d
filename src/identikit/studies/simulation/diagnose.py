"""Which cause it was: runs that differ from one in a single thing, as few as decide.

An oracle, classes for labels, another start, a wider encoder, a longer run, in this order and
within a budget, until `theory.explain` names one cause. Each is an ordinary run of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from identikit.core.errors import InputError
from identikit.runs.provenance import command_line
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.result import Measured, Prediction
from identikit.studies.simulation.run import expected_seconds, explain_run
from identikit.theory.explain import CEILING_MARGIN, Cause, Experiment, Explanation, Variation

LONGER = 4
"""Times as many steps."""
WIDE = 64
"""Units that a wider encoder has at least; else twice as many."""

ABOUT = {
    Variation.ORACLE: Cause.ENCODER,
    Variation.CLASS_LABELS: Cause.ROW_NOISE,
    Variation.RESTART: Cause.BASIN,
    Variation.WIDER: Cause.ENCODER,
    Variation.LONGER: Cause.OPTIMISER,
}
"""The cause that an experiment is about: it is made while that one is possible."""

Measure = Callable[[SimulationConfig], tuple[Prediction, Measured]]
"""Makes a run, or finds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An experiment before it is made."""

    variation: Variation
    detail: str
    config: SimulationConfig
    cost: float
    """In runs like the one that is explained."""

    @property
    def command(self) -> str:
        """Makes this run alone."""
        return command_line("simulate", self.config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What the experiments say."""

    explanation: Explanation
    experiments: tuple[Experiment, ...]
    """Those that were made."""
    commands: tuple[str, ...]
    """Of each."""
    left_out: tuple[str, ...]
    """Commands of those for which the budget was too small."""


def plans(config: SimulationConfig) -> Iterator[Plan]:
    """The experiments on a run, those that cost little first."""
    for variation, detail, change in _changes(config):
        try:
            varied = change()
        except InputError:  # this world or head knows no such run
            continue
        cost = expected_seconds(varied) / expected_seconds(config)
        yield Plan(variation=variation, detail=detail, config=varied, cost=cost)


def _changes(
    config: SimulationConfig,
) -> Iterator[tuple[Variation, str, Callable[[], SimulationConfig]]]:
    training, width = config.training, config.encoder.width
    yield Variation.ORACLE, "the true latents as targets", config.as_oracle
    if config.target == "instances":
        head = replace(config.head, tied_rows=False)
        yield (
            Variation.CLASS_LABELS,
            f"{config.world.classes:,} classes for {config.n_labels:,} instances as labels",
            lambda: replace(config, objective="supervised", head=head),
        )
    yield (
        Variation.RESTART,
        "other initial weights and batches",
        lambda: replace(config, start=config.start + training.starts),
    )
    if config.encoder.architecture in ("plain", "cnn"):  # widths of others follow from the world
        wide = max(WIDE, 2 * width)
        yield (
            Variation.WIDER,
            f"{wide} units a layer for {width}",
            lambda: replace(config, encoder=replace(config.encoder, width=wide)),
        )
    steps, seconds = LONGER * training.steps, training.max_seconds
    longer = replace(
        training, steps=steps, max_seconds=None if seconds is None else LONGER * seconds
    )
    yield (
        Variation.LONGER,
        f"{steps:,} steps for {training.steps:,}",
        lambda: replace(config, training=longer),
    )


def diagnose(config: SimulationConfig, *, measure: Measure, budget: float) -> Diagnosis:
    """Make a run and the experiments that decide why it recovered what it did.

    Args:
        config: Of the run.
        measure: Makes the run and each experiment.
        budget: What the experiments may cost together, in runs like this one.
    """
    prediction, measured = measure(config)
    found = explain_run(config, prediction, measured)
    short = prediction.ceiling.r2_latents - measured.r2_guaranteed > CEILING_MARGIN
    experiments: list[Experiment] = []
    made: list[Plan] = []
    left_out: list[Plan] = []
    for plan in plans(config):
        if found.next_command is None:
            break
        if found.possible and ABOUT[plan.variation] not in found.possible:
            continue
        if plan.variation is Variation.ORACLE and not short:  # it has a score, and no loss
            continue
        if plan.cost > budget:
            left_out.append(plan)
            continue
        budget -= plan.cost
        _, other = measure(plan.config)
        if other.interrupted:
            break
        made.append(plan)
        experiments.append(
            Experiment(
                variation=plan.variation,
                detail=plan.detail,
                r2=other.r2_guaranteed,
                excess=other.excess_of_h,
            )
        )
        found = explain_run(config, prediction, measured, experiments=experiments)
    if found.next_command is not None:  # all that can be made was made
        found = replace(found, next_command=left_out[0].command if left_out else None)
    return Diagnosis(
        explanation=found,
        experiments=tuple(experiments),
        commands=tuple(plan.command for plan in made),
        left_out=tuple(plan.command for plan in left_out),
    )
