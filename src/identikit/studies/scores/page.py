"""The page of the grid: maps of where scores are too high and too low, and every number."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from identikit.core.estimate import Spread
from identikit.report.figures import Figure, matrix
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.scores.constructions import ENCODERS, STRUCTURES, Setting
from identikit.studies.scores.measure import BINS, SCORES
from identikit.studies.scores.result import MARGIN, ScoresResult


def scores_page(run: Run, result: ScoresResult) -> Page:
    """The page of a saved `identikit reproduce scores` run."""
    seeds = list(dict.fromkeys(cell.seed for cell in result.cells))
    return Page(
        title="Which scores to trust",
        subtitle=f"{len(SCORES)} scores of {len(result.grid)} constructions, seeds "
        f"{seeds[0]} to {seeds[-1]}, {run.config['samples']:,} samples, "
        f"{run.config['factors']} factors",
        headline=result.headline,
        findings=result.findings,
        sections=(_maps(result), *_sizes(result), _numbers(result)),
        provenance=provenance(run),
    )


def _maps(result: ScoresResult) -> Section:
    figures = [_worst(result, axis, sign) for axis in ("encoder", "structure") for sign in (1, -1)]
    said = {
        **{f"structure: {name}": words for name, words in STRUCTURES.items()},
        **{
            f"encoder: {name}": f"{words}; identified up to "
            + ("; ".join(sorted(up_to)) or "nothing")
            for name, (words, up_to) in ENCODERS.items()
        },
    }
    frame = pd.DataFrame({"construction": list(said), "what it is": list(said.values())})
    return Section(
        heading="False positives and false negatives",
        lead="What a score says less what is so: the share of the factors that are identified up "
        "to what the score is read as asking. Each cell is the worst over what is not shown.",
        figures=tuple(figures),
        tables=(Table(caption="Constructions", frame=frame),),
        notes=(
            f"Right is within {MARGIN:g} of the truth. Scores of levels cut factors into {BINS} "
            "levels of equal mass; trees and SAP take them as numbers; explicitness is twice its "
            "area less 1; T-MEX is 1 less its wrong entries per code.",
        ),
    )


def _worst(result: ScoresResult, axis: str, sign: int) -> Figure:
    places = list(dict.fromkeys(str(getattr(s, axis)) for s in result.grid))

    def worst(name: str, place: str) -> float:
        here = [s for s in result.grid if getattr(s, axis) == place]
        return max(0.0, *(sign * result.error(name, s) for s in here))

    side = "too high" if sign > 0 else "too low"
    return _map(f"By how much {side}, by {axis}", places, worst, axis=axis)


def _map(
    title: str, places: Sequence[str], value: Callable[[str, str], float], *, axis: str
) -> Figure:
    figure = matrix(
        np.array([[value(name, place) for place in places] for name in SCORES]),
        rows=list(SCORES),
        columns=places,
        labels=("score", axis),
        quantity="distance from the truth",
    )
    return replace(figure, name=re.sub("[^a-z]+", "-", title.lower()), title=title)


def _sizes(result: ScoresResult) -> tuple[Section, ...]:
    figures = []
    for encoder, title in (("nothing", "Codes that know nothing"), ("padded", "The factors")):
        own = {_size(s): s for s in result.sizes if s.encoder == encoder}
        if own:
            figures.append(
                _map(
                    f"{title}, by samples/factors/codes",
                    list(own),
                    lambda name, place, own=own: abs(result.error(name, own[place])),  # type: ignore[misc]
                    axis="samples/factors/codes",
                )
            )
    if not figures:
        return ()
    return (
        Section(
            heading="Few samples, many codes",
            lead="How far scores are from the truth: 0 of codes that know nothing, and 1 of the "
            "factors themselves, with random numbers beside them for the other codes.",
            figures=tuple(figures),
        ),
    )


def _size(setting: Setting) -> str:
    return f"{setting.samples}/{setting.factors}/{setting.codes}"


def _numbers(result: ScoresResult) -> Section:
    rows = []
    for setting in (*result.grid, *result.sizes):
        for name, up_to in SCORES.items():
            rows.append(
                {
                    "structure": setting.structure,
                    "encoder": setting.encoder,
                    "samples": setting.samples,
                    "factors": setting.factors,
                    "codes": setting.codes,
                    "score": name,
                    "is so": setting.truth(up_to),
                    "says": Spread.of(result.values(name, setting)),
                    "false by": result.error(name, setting),
                }
            )
    return Section(
        heading="Every number",
        lead="Mean and standard deviation over seeds; scores below 0 count as 0.",
        tables=(Table(caption="Scores", frame=pd.DataFrame(rows, dtype=object)),),
    )
