"""The configs of a sweep's rows in one line each: recipe, objective, and what the world changes."""

from dataclasses import replace
from typing import Any, Literal

from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.recipe_choice import SOME_LATENTS
from identikit.training.recipes import recipe
from identikit.worlds.config import WorldConfig

ROW_RATE = 0.02
"""Of head rows that need not be long, κ = 10 or so: a fifth of the rate of `fast` and `medium`, and
so less noise at the end. Rows of κ = 50 would not get there."""


def simulation(
    recipe_name: str | None = None,
    *,
    objective: Literal["diet", "supervised"],
    unit_features: bool = False,
    unit_rows: bool = False,
    instances: int = 10_240,
    start: int = 0,
    few_classes: bool = False,
    steps: int | None = None,
    head_rate: float | None = None,
    final_batch_size: int | None = None,
    test_samples: int = 8_192,
    **world: Any,
) -> SimulationConfig:
    """The base row of the paper with these options of its world, trained by a named recipe.

    By default that is `fast`, or `medium` where there are some more latents.
    """
    few = world.get("dim", WorldConfig().dim) < SOME_LATENTS
    chosen = recipe(recipe_name or ("fast" if few else "medium"))
    given = {"steps": steps, "head_rate": head_rate, "final_batch_size": final_batch_size}
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return SimulationConfig(
        objective=objective,
        instances=instances,
        start=start,
        few_classes=few_classes,
        test_samples=test_samples,
        world=WorldConfig(**world),
        encoder=chosen.encoder,
        head=replace(chosen.head, unit_features=unit_features, unit_rows=unit_rows),
        training=replace(chosen.training, **changed),
    )
