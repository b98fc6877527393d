"""Simulated worlds end to end (arXiv:2410.21869, section 4.1)."""

from typing import Any

from identikit.runs.store import Draft
from identikit.runs.study import Outcome, Study, Watch
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.page import simulation_page
from identikit.studies.simulation.run import Prediction, Simulation, predict, simulate
from identikit.worlds.world import WorldConfig

__all__ = [
    "DEMO",
    "SIMULATE",
    "Prediction",
    "Simulation",
    "SimulationConfig",
    "predict",
    "simulate",
]


def _compute(config: SimulationConfig, draft: Draft, on_progress: Watch | None) -> Outcome:
    done = simulate(
        config,
        on_progress=on_progress,
        checkpoint=draft.checkpoint,
        metrics=draft.folder / "metrics.jsonl",
    )
    return done.to_dict(), done.arrays


def _label(config: SimulationConfig) -> str:
    world = config.world
    return f"{config.objective}-{world.conditional}-d{world.dim}-c{world.classes}-s{config.seed}"


SIMULATE: Study[Any] = Study(
    command="simulate", compute=_compute, page=simulation_page, label=_label
)
DEMO = SimulationConfig(world=WorldConfig(dim=3, classes=50))
"""Three latents, so that the sphere of factors can be drawn."""
