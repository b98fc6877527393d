"""Simulated worlds end to end (arXiv:2410.21869, section 4.1)."""

from identikit.runs.study import Arrays, Context, Study
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.page import simulation_page
from identikit.studies.simulation.result import Prediction, SimulationResult
from identikit.studies.simulation.run import Simulation, predict, simulate
from identikit.worlds.world import WorldConfig

__all__ = [
    "DEMO",
    "SIMULATE",
    "Prediction",
    "Simulation",
    "SimulationConfig",
    "SimulationResult",
    "predict",
    "simulate",
]


def _compute(config: SimulationConfig, context: Context) -> tuple[SimulationResult, Arrays]:
    done = simulate(
        config,
        on_progress=context.tell,
        checkpoint=context.draft.checkpoint,
        metrics=context.draft.folder / "metrics.jsonl",
    )
    return done.result, done.arrays


def _label(config: SimulationConfig) -> str:
    world = config.world
    return f"{config.objective}-{world.conditional}-d{world.dim}-c{world.classes}-s{config.seed}"


SIMULATE = Study(
    name="simulate",
    version=4,
    result=SimulationResult,
    compute=_compute,
    page=simulation_page,
    label=_label,
)
DEMO = SimulationConfig(world=WorldConfig(dim=3, classes=50))
"""Three latents, so that the sphere of factors can be drawn."""
