"""Concentration of the von Mises-Fisher conditional, far past the paper's 5, 10 and 50."""

from typing import Any

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.simulation.recipe_choice import choose_recipe
from identikit.studies.sweeps.sweep import Axis, Row, Sweep
from identikit.worlds.config import WorldConfig

KAPPAS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
CLASSES = (100, 1_000)


def _row(classes: int, kappa: float) -> Row:
    world: dict[str, Any] = {"classes": classes, "kappa": kappa}
    recipe, _ = choose_recipe(WorldConfig(**world))  # as `identikit simulate` would
    config = simulation(recipe, objective="supervised", **world)
    return Row(label=f"κ = {kappa:g}", config=config, group=f"C = {classes:,}", x=kappa)


SWEEP = Sweep(
    name="concentration",
    title="Concentration of the classes",
    question="Over what range of concentrations is the theorem's promise kept in practice?",
    prediction="The ceiling is 1 for every κ above 0. But the loss speaks of z only where "
    "classes overlap: for small κ labels say little, for large κ nothing is left to tell "
    "apart, later for more classes.",
    rows=tuple(_row(classes, kappa) for classes in CLASSES for kappa in KAPPAS),
    axis=Axis(label="concentration κ", log=True),
    core_minutes=39,
    seeds=(0, 1, 2),
)
