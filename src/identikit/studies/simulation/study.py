"""How a simulation is run, saved and drawn."""

from identikit.runs.study import Arrays, Context, Study
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.page import simulation_page
from identikit.studies.simulation.result import SimulationResult
from identikit.studies.simulation.run import simulate


def _compute(config: SimulationConfig, context: Context) -> tuple[SimulationResult, Arrays]:
    done = simulate(
        config,
        on_progress=context.tell,
        checkpoint=context.draft.checkpoint,
        metrics=context.draft.folder / "metrics.jsonl",
    )
    return done.result, done.arrays


SIMULATE = Study(name="simulate", result=SimulationResult, compute=_compute, page=simulation_page)
"""`identikit simulate`."""
