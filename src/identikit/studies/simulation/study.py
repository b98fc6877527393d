"""How a simulation and its diagnosis are run, saved and drawn."""

from dataclasses import replace

from identikit.runs.provenance import command_line
from identikit.runs.study import Arrays, Context, Done, Study, run_study
from identikit.studies.simulation.config import DiagnosisConfig, SimulationConfig
from identikit.studies.simulation.diagnose import diagnose
from identikit.studies.simulation.page import diagnosis_page, simulation_page
from identikit.studies.simulation.result import (
    DiagnosisResult,
    MadeExperiment,
    Measured,
    Prediction,
    SimulationResult,
)
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


def _diagnose(config: DiagnosisConfig, context: Context) -> tuple[DiagnosisResult, Arrays]:
    made: dict[str, Done[SimulationResult]] = {}

    def measure(varied: SimulationConfig) -> tuple[Prediction, Measured]:
        done = run_study(
            SIMULATE,
            varied,
            root=context.root,
            tell=context.tell,
            warn=context.warn,
            wait=True,
            restart=context.restart,
        )
        made[command_line("simulate", varied)] = done
        return done.result.prediction, done.result.measured

    found = diagnose(config.simulation, measure=measure, budget=config.budget)
    explained, said = made[command_line("simulate", config.simulation)], found.explanation
    stopped = any(done.run.interrupted for done in made.values())
    result = DiagnosisResult(
        status="interrupted" if stopped else "completed",
        simulation=replace(
            explained.result,
            cause=said.cause,
            possible_causes=said.possible,
            next_command=said.next_command,
            explanation=said.sentence,
        ),
        experiments=tuple(
            MadeExperiment(
                variation=experiment.variation,
                detail=experiment.detail,
                r2=experiment.r2,
                excess=experiment.excess,
                command=command,
                run=made[command].run.path.name,
            )
            for experiment, command in zip(found.experiments, found.commands, strict=True)
        ),
        left_out=found.left_out,
    )
    return result, explained.run.arrays()


DIAGNOSE = Study(
    name="simulate --diagnose", result=DiagnosisResult, compute=_diagnose, page=diagnosis_page
)
"""`identikit simulate --diagnose`."""
