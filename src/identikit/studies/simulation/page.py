"""The page of a simulation: what theory predicted, what was recovered, and why they differ."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from identikit.core.config import from_dict
from identikit.core.estimate import Scores
from identikit.objectives.config import OBJECTIVES
from identikit.probing.plot import recovery_bars
from identikit.probing.recovery import Recovery
from identikit.probing.result import MapScores
from identikit.report.figures import (
    Figure,
    head_scatter,
    latents_scatter,
    latents_sphere,
    training_curves,
)
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import assumption_frame, provenance
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.result import DiagnosisResult, SimulationResult
from identikit.theory.assumptions import AssumptionCheck
from identikit.worlds.config import CONDITIONALS, GENERATORS, WorldConfig


def simulation_page(run: Run, result: SimulationResult) -> Page:
    """The page of a saved `identikit simulate` run."""
    config, arrays, recovery = (
        from_dict(SimulationConfig, run.config),
        run.arrays(),
        result.recovery,
    )
    names = [score.name for score in recovery.factors]
    world, oracle = config.world, config.target == "latents"
    words = OBJECTIVES[config.objective].help
    learner = "an oracle" if oracle else "cross-entropy"
    return Page(
        title=f"What {learner} recovered of a simulated world",
        subtitle=f"{words}, {world.dim} latents on {_sphere(world)}, {world.classes} classes, "
        f"{_conditional(world)}{_violations(world)}; seed {config.seed}, {result.steps:,} steps",
        headline=result.headline,
        findings=result.findings,
        sections=(
            Section(
                heading="The factors",
                lead="Each point is a sample that fitted nothing: its true latents against what "
                "an affine map reads out of the representation.",
                figures=_latent_figures(arrays, names),
            ),
            _training_section(result),
            Section(
                heading="Each factor with its controls",
                lead="What needs no learning stands beside what was learned.",
                figures=(recovery_bars(recovery, measure="R²"),),
            ),
            *_head_section(arrays, result, names),
            _assumption_section(result.prediction.assumptions),
            _score_section(recovery),
        ),
        provenance=provenance(run),
    )


def diagnosis_page(run: Run, result: DiagnosisResult) -> Page:
    """The page of a saved diagnosis: that of the simulation, with the experiments first."""
    page = simulation_page(replace(run, config=run.config["simulation"]), result.simulation)
    frame = pd.DataFrame(
        [
            {
                "experiment": str(experiment.variation),
                "what differs": experiment.detail,
                "R²": experiment.r2,
                "excess (nats)": experiment.excess,
                "command": experiment.command,
            }
            for experiment in result.experiments
        ]
    )
    section = Section(
        heading="What decided",
        lead="Each experiment is a run that differs from this one in a single thing."
        if result.experiments
        else "No experiment was needed.",
        tables=(Table(caption="Experiments", frame=frame),) if result.experiments else (),
        notes=tuple(f"Left out for the budget: {command}" for command in result.left_out),
    )
    return replace(page, sections=(section, *page.sections))


def _training_section(result: SimulationResult) -> Section:
    history, lead = pd.DataFrame(list(result.history)), "Recovery against its ceiling"
    if result.excess_loss is None:
        history, lead = history.drop(columns="loss"), f"{lead}."
    else:
        lead += (
            ", and the loss against the loss of the true posterior: how far the run is from the "
            "best that any network could do."
        )
    curves = training_curves(history, ceiling=result.ceiling_r2)
    notes = () if result.label_statement is None else (result.label_statement,)
    return Section(heading="Training", lead=lead, figures=(curves,), notes=notes)


def _violations(world: WorldConfig) -> str:
    """What sets this world apart from the paper's, in a few words each."""
    words = []
    if world.components > 1:
        words.append(f"{world.components} clusters per class")
    if world.swapped_share:
        words.append(f"{world.swapped_share:.0%} of labels swapped")
    if world.label_noise:
        words.append(f"{world.label_noise:.0%} of labels drawn anew")
    if world.label_exponent:
        words.append(f"Zipf labels of exponent {world.label_exponent:g}")
    if world.clusters != "uniform":
        words.append(f"{world.clusters} clusters")
    if world.generator != "mlp":
        words.append(f"x by {GENERATORS[world.generator].help}")
    return "".join(f", {word}" for word in words)


def _sphere(world: WorldConfig) -> str:
    return "the sphere" if world.spherical else f"R^{world.dim}"


def _conditional(world: WorldConfig) -> str:
    chosen = CONDITIONALS[world.conditional]
    values = [(name, getattr(world, name)) for name in chosen.options]
    return f"{chosen.help} ({', '.join(f'{name} {value}' for name, value in values)})"


def _latent_figures(arrays: dict[str, NDArray[Any]], names: list[str]) -> tuple[Figure, ...]:
    true, recovered = arrays["true"], arrays["recovered"]
    scatter = latents_scatter(true, recovered, names=names)
    on_sphere = np.allclose(np.linalg.norm(true, axis=1), 1, atol=1e-3)
    if true.shape[1] == 3 and on_sphere:
        return (latents_sphere(true, recovered), scatter)
    return (scatter,)


def _head_section(
    arrays: dict[str, NDArray[Any]], result: SimulationResult, names: list[str]
) -> tuple[Section, ...]:
    if result.r2_head is None:
        return ()
    return (
        Section(
            heading="The head",
            lead="The classifier's own rows are images of the cluster vectors: the mean row of "
            "each class, mapped into their space, against the true vector.",
            figures=(head_scatter(arrays["mapped_rows"], arrays["class_vectors"], names=names),),
            notes=("The map drawn here was fitted to all classes; the score above holds out.",),
        ),
    )


def _assumption_section(checks: tuple[AssumptionCheck, ...]) -> Section:
    return Section(
        heading="What theory assumes",
        lead="Where an assumption fails, the ceiling above says what is left to recover.",
        tables=(
            Table(
                caption="Assumptions of the theorem, checked on this world",
                frame=assumption_frame(checks),
            ),
        ),
    )


def _score_section(recovery: Recovery) -> Section:
    assert recovery.latents is not None
    tables = [Table(caption="From h to the latents", frame=_map_frame(recovery.latents))]
    if recovery.head is not None:
        tables.append(
            Table(caption="From head rows to cluster vectors", frame=_map_frame(recovery.head))
        )
    notes = tuple(
        f"{what}: {scores.status}."
        for what, scores in (("Latents", recovery.latents), ("Head", recovery.head))
        if scores is not None and scores.status != "ok"
    )
    return Section(
        heading="Every score",
        lead="Held out, with 95 % bootstrap intervals.",
        tables=tuple(tables),
        notes=notes,
    )


def _map_frame(scores: MapScores) -> pd.DataFrame:
    named: dict[str, Scores] = {
        "affine R²": scores.affine,
        "linear R² (no intercept)": scores.linear,
        "Procrustes R²": scores.procrustes,
        "MCC, weak (after an affine map)": scores.mcc_weak,
        "MCC, strong (as is)": scores.mcc_strong,
    }
    rows = [
        {"score": label, "mean": found.mean}
        | dict(zip(scores.names, found.per_factor, strict=True))
        for label, found in named.items()
    ]
    if scores.isometry_error is not None:
        rows.append(
            {"score": "distance from a scaled isometry", "mean": scores.isometry_error}
            | dict.fromkeys(scores.names)
        )
    return pd.DataFrame(rows)
