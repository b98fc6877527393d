"""The page of a probe: what is there, whether it could be chance or memory, what theory covers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from identikit.probing.plot import recovery_figures
from identikit.probing.recovery import Recovery
from identikit.report.figures import Figure, matrix
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.probe.classic import ClassicScore
from identikit.studies.probe.result import ProbeStudyResult

REFERENCES = {
    "shuffled": "know nothing",
    "rotated": "factors, rotated",
    "perfect": "factors themselves",
}
"""What a classic score is held against, and the name of its column."""


def probe_page(run: Run, result: ProbeStudyResult) -> Page:
    """The page of a saved `identikit probe` run."""
    recovery, notes = result.recovery, result.notes
    paths = [Path(path).name for path in run.config["features"]]
    words = f"; {len(notes)} notes on what was read, see the end" if notes else ""
    return Page(
        title="What is linearly in these features",
        subtitle=f"{paths[0]}{f' and {len(paths) - 1} more files' if paths[1:] else ''}: "
        f"{recovery.n_train + recovery.n_test:,} samples, {recovery.dim} dimensions{words}",
        headline=result.headline,
        findings=result.findings,
        sections=(
            *_figures(recovery),
            _chance(recovery),
            _every_score(recovery),
            *_classic(result.classic),
            _what_was_read(recovery, result.kinds, notes),
        ),
        provenance=provenance(run),
    )


def _figures(recovery: Recovery) -> tuple[Section, ...]:
    return tuple(
        Section(
            heading=f"Factors scored by {measure}",
            lead="Fitted on one part of the samples, scored on the other.",
            figures=(figure,),
        )
        for measure, figure in recovery_figures(recovery).items()
    )


def _chance(recovery: Recovery) -> Section:
    tasks = any(s.selectivity is not None for s in recovery.factors)
    columns: dict[str, list[Any]] = {
        "factor": [s.name for s in recovery.factors],
        "score": [s.estimate for s in recovery.factors],
        "chance": [s.chance for s in recovery.factors],
        "p (Holm)": [s.p_holm for s in recovery.factors],
        "p (B-H)": [s.p_fdr for s in recovery.factors],
    }
    if tasks:
        columns["other samples of items"] = [s.same_items for s in recovery.factors]
        columns["random items"] = [s.control_task for s in recovery.factors]
        columns["selectivity"] = [s.selectivity for s in recovery.factors]
    items = (
        "In the columns on the right other samples of the items fitted on score, beside random "
        "values for each item, which can only be memorised. What is above those (selectivity) is "
        "read, not learned by heart. What varies within items has no control task, which says "
        "nothing of memory."
        if tasks
        else "With --items, a control task says what is memorised (selectivity) of the score of a "
        "factor that belongs to items; what varies within items has none."
    )
    return Section(
        heading="Could it be chance, or memory?",
        lead="p is the share of shuffles of the held-out factor under which the same linear probe "
        f"scores as well; Holm's correction keeps all {len(recovery.factors)} together honest, "
        "Benjamini and Hochberg's (B-H) the share of wrong ones among those found.",
        tables=(Table(caption="Chance and memory", frame=pd.DataFrame(columns)),),
        notes=(items,),
    )


def _every_score(recovery: Recovery) -> Section:
    return Section(
        heading="Every score",
        lead="The head row space is the part of h that its classifier sees, the only part that "
        "theory can speak of; the complement is what lies outside it.",
        tables=(
            Table(
                caption="All factors, features and intervals",
                frame=recovery.to_frame().drop(columns=["status"]),
            ),
        ),
        notes=tuple(f"{s.name}: {s.status}." for s in recovery.factors if s.status != "ok"),
    )


def _classic(scores: tuple[ClassicScore, ...]) -> tuple[Section, ...]:
    if not scores:
        return ()
    frame = pd.DataFrame(
        {
            "score": [s.name for s in scores],
            "value": pd.Series([s.value for s in scores], dtype=object),
            "chance": pd.Series([s.chance for s in scores], dtype=object),
            **{
                name: pd.Series([getattr(s, field) for s in scores], dtype=object)
                for field, name in REFERENCES.items()
            },
            "asks for axes": ["yes" if s.axis_aligned else "no" for s in scores],
            "variant": [s.variant for s in scores],
            "status": [s.status for s in scores],
        }
    )
    return (
        Section(
            heading="The classic scores of disentanglement",
            lead="Most of these are axis-aligned: they ask for one factor per dimension of h, "
            "which theory does not promise. A representation with every factor linearly in it "
            "scores low if it is rotated. Low here and high above means: there, but not on the "
            "axes. Beside each stands what it is of codes that know nothing (these, shuffled), of "
            "a random rotation of the factors, and of the factors themselves: where the first or "
            "the second is high, or the third low, it misleads here.",
            figures=_references(scores),
            tables=(Table(caption="Classic scores", frame=frame),),
            notes=(
                f"From {scores[0].rows:,} samples at random. Factors of numbers are cut into 20 "
                "levels of equal mass.",
                *(f"{s.warning}." for s in scores if s.warning),
            ),
        ),
    )


def _references(scores: tuple[ClassicScore, ...]) -> tuple[Figure, ...]:
    known = [s for s in scores if s.perfect is not None]
    if not known:
        return ()
    columns = {"value": "these codes"} | REFERENCES
    figure = matrix(
        np.array([[getattr(s, field) for field in columns] for s in known], dtype=float),
        rows=[s.name for s in known],
        columns=list(columns.values()),
        labels=("score", "codes"),
    )
    title = "Classic scores of these codes, and of codes of which the truth is known"
    return (replace(figure, name="classic", title=title),)


def _what_was_read(recovery: Recovery, kinds: dict[str, str], notes: tuple[str, ...]) -> Section:
    frame = pd.DataFrame(
        {
            "factor": list(kinds),
            "kind": list(kinds.values()),
            "scored by": [s.measure for s in recovery.factors],
        }
    )
    return Section(
        heading="What was read",
        lead="Where a kind was inferred and is wrong, give it: --kinds NAME=KIND, such as "
        "azimuth=circular:360.",
        tables=(Table(caption="Factors and their kinds", frame=frame),),
        notes=(*notes, *((f"{recovery.status}.",) if recovery.status != "ok" else ())),
    )
