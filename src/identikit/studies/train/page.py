"""The page of a training run: its factors, its loss, what its head reads."""

import pandas as pd

from identikit.core.config import from_dict
from identikit.probing.plot import recovery_figures
from identikit.report.figures import training_curves
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.train.config import AUGMENTATIONS, OBJECTIVES, TrainConfig
from identikit.studies.train.result import TrainResult


def train_page(run: Run, result: TrainResult) -> Page:
    """The page of a saved `identikit train` run."""
    config = from_dict(TrainConfig, run.config)
    return Page(
        title="What a network learned of your images",
        subtitle=f"{OBJECTIVES[config.objective].help}; {result.images:,} images, {config.model}, "
        f"augmentation {config.augment}, {result.steps:,} steps, seed {config.seed}",
        headline=result.headline,
        findings=result.findings,
        sections=(*_factors(result), _training(result), _how(config, result)),
        provenance=provenance(run),
    )


def _factors(result: TrainResult) -> tuple[Section, ...]:
    if result.recovery is None:
        return ()
    frame = result.recovery.to_frame().drop(columns=["status"])
    return (
        Section(
            heading="Each factor with its controls",
            lead="Read out of h by a linear map that was fitted on one part of the images and "
            "scored on the other; what needs no learning stands beside it.",
            figures=tuple(recovery_figures(result.recovery).values()),
            tables=(Table(caption="All factors, features and intervals", frame=frame),),
            notes=tuple(f"{note[0].upper()}{note[1:]}." for note in result.notes),
        ),
    )


def _training(result: TrainResult) -> Section:
    return Section(
        heading="Training",
        lead="Mean loss since the last point, and, where factors are known, the mean R² of a "
        "linear map on images that it was not fitted on.",
        figures=(training_curves(pd.DataFrame(list(result.history))),),
    )


def _how(config: TrainConfig, result: TrainResult) -> Section:
    known = AUGMENTATIONS.get(config.augment)
    rows = {
        "objective": OBJECTIVES[config.objective].help,
        "labels": f"{result.labels:,}" if result.labels else "none",
        "dimensions of h": f"{result.dim:,}",
        "augmentation": config.augment if known is None else f"{known.name}: {known.help}",
        "label smoothing": f"{config.smoothing():g}",
        "images a second": f"{result.images_per_second:,.0f}",
        "waiting for images": f"{result.waited:.0%} of the time",
        "seconds": f"{result.seconds:,.0f}",
    }
    frame = pd.DataFrame({"": list(rows), "this run": list(rows.values())})
    left_out = tuple(f"Left out: {key} ({why})." for key, why in result.unreadable.items())
    return Section(
        heading="How it was trained",
        lead="The encoder is in this folder, and its features of all images in features/: "
        "identikit probe, compare and extract take the folder for them.",
        tables=(Table(caption="Settings", frame=frame),),
        notes=left_out[:20],
    )
