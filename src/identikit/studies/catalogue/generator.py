"""Is the generator the obstacle? The encoder told the latents, and better-conditioned layers."""

from dataclasses import replace
from typing import Any

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Axis, Row, Sweep

DIMS = (5, 10, 20, 50)
GENERATORS = {"the paper's": "mlp", "orthogonal": "orthogonal-mlp"}
OBJECTIVES: dict[str, Any] = {"classes": "supervised", "told the latents": "oracle"}


def _row(generator: str, objective: str, dim: int) -> Row:
    config = simulation(
        objective="supervised", steps=3_000, dim=dim, generator=GENERATORS[generator]
    )
    config = replace(config, objective=OBJECTIVES[objective])
    return Row(label=f"d = {dim}", config=config, group=f"{generator}, {objective}", x=dim)


SWEEP = Sweep(
    name="generator",
    title="The generator as the obstacle",
    question="Where recovery falls short in many dimensions, is it the loss or the generator?",
    prediction="The ceiling is 1 everywhere. An oracle, the same encoder trained on the true "
    "latents, needs only to undo the generator: what even it misses, no loss is to blame for. "
    "Orthogonal layers in place of random ones leave the loss as it is and remove the obstacle.",
    rows=tuple(
        _row(generator, objective, dim)
        for generator in GENERATORS
        for objective in OBJECTIVES
        for dim in DIMS
    ),
    axis=Axis(label="number of latent dimensions d", log=True),
    core_minutes=14,
    seeds=(0, 1, 2),
)
