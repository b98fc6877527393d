"""The page of a sweep: every row predicted, recovered and explained, its figure, its runs."""

import math
from typing import Any

import pandas as pd

from identikit.report.figures import Curve, Figure, sweep
from identikit.report.page import ComparisonRow, Page, Section, Table
from identikit.report.tables import Links
from identikit.runs.store import Run
from identikit.runs.study import PAGE_FILE
from identikit.studies.pages import provenance
from identikit.studies.sweeps.summary import RowSummary, summarise, word_for
from identikit.theory.explain import CLOSE

MOST_NAMED = 6
"""Rows that a verdict names."""


def sweep_page(run: Run) -> Page:
    """The page of a saved `identikit reproduce` run."""
    result = run.result
    rows = [summarise(row) for row in result["rows"]]
    groups = list(dict.fromkeys(row.group for row in rows))
    tables = tuple(_table(group, [r for r in rows if r.group == group], run) for group in groups)
    cost = result["core_seconds"]
    return Page(
        title=result["title"],
        subtitle=f"{result['question']} {len(rows)} rows, {len(result['seeds'])} seeds each, "
        f"{cost / 60:.1f} core-minutes.",
        verdict=_verdict(rows),
        verdict_tone=_tone(rows),
        rows=tuple(_comparison(row) for row in rows),
        sections=(
            *_figure_section(result, rows, groups),
            Section(
                heading="Every number",
                lead=f"Theory predicts: {result['prediction']} Mean and standard deviation over "
                "seeds. The score is the one that fits the head: affine R² of free rows, "
                "Procrustes R² of unit-norm ones. Excess is the loss above the Bayes loss, in "
                "nats; seconds are those of one core for a whole run.",
                tables=tables,
                notes=(
                    "The ceiling is the mean over the seeds' worlds of what a perfect learner of "
                    "this width would score.",
                    "A row that stays more than "
                    f"{CLOSE} below its ceiling is explained by the run of median gap, and by an "
                    "oracle: the same encoder trained on the true latents.",
                    "`identikit report FOLDER --runs` draws the page of every run.",
                ),
            ),
        ),
        provenance=provenance(run),
    )


def _figure_section(
    result: dict[str, Any], rows: list[RowSummary], groups: list[str]
) -> tuple[Section, ...]:
    if result["axis"] is None:
        return ()
    return (
        Section(
            heading="Predicted and recovered",
            lead=result["prediction"],
            figures=(_figure(result["axis"], rows, groups),),
        ),
    )


def _figure(axis: dict[str, Any], rows: list[RowSummary], groups: list[str]) -> Figure:
    curves = []
    for group in groups:
        done = [row for row in rows if row.group == group]
        curves.append(
            Curve(
                name=group,
                x=[row.x for row in done if row.x is not None],
                recovered=[row.latents or math.nan for row in done],
                ceiling=[math.nan if row.ceiling is None else row.ceiling for row in done],
            )
        )
    return sweep(curves, x_label=axis["label"], log_x=axis["log"])


def _verdict(rows: list[RowSummary]) -> str:
    there = [row for row in rows if row.at_ceiling]
    if len(there) == len(rows):
        return f"All {len(rows)} rows are at their ceiling."
    missing = [row for row in rows if not row.at_ceiling]
    names = [f"{row.group}: {row.label}" if row.group else row.label for row in missing]
    named = ", ".join(names[:MOST_NAMED]) + (", and others" if len(names) > MOST_NAMED else "")
    return f"{len(there)} of {len(rows)} rows are at their ceiling; not so {named}."


def _tone(rows: list[RowSummary]) -> Any:
    share = sum(row.at_ceiling for row in rows) / len(rows)
    return "good" if share == 1 else "warning" if share >= 0.5 else "bad"


def _comparison(row: RowSummary) -> ComparisonRow:
    return ComparisonRow(
        quantity=f"{row.group}: {row.label} ({row.score})" if row.group else row.label,
        predicted=row.ceiling,
        recovered=row.latents,
        explained=row.explanation,
    )


def _table(group: str, rows: list[RowSummary], run: Run) -> Table:
    columns: dict[str, list[object]] = {
        "row": [row.label for row in rows],
        "predicted": [row.ceiling for row in rows],
        "recovered": [row.latents for row in rows],
        "explained": [word_for(row) for row in rows],
        "head, predicted": [row.head_ceiling for row in rows],
        "head, recovered": [row.head for row in rows],
        "isometry error": [row.isometry_error for row in rows],
        "excess (nats)": [row.excess for row in rows],
        "seconds": [row.seconds for row in rows],
        "runs": [_links(row, run) for row in rows],
    }
    if all(cell is None for cell in columns["isometry error"]):
        del columns["isometry error"]
    score = next((row.score for row in rows if row.latents is not None), "R²")
    caption = f"{group}, {score}" if group else score
    return Table(caption=caption, frame=pd.DataFrame(columns).astype(object))


def _links(row: RowSummary, run: Run) -> Links:
    """A link for each seed: to the run's page once it is drawn, until then to its numbers."""
    targets = []
    named = [(str(record["seed"]), record) for record in row.runs]
    for words, record in (*named, *((("oracle", row.oracle),) if row.oracle else ())):
        if record["path"] is not None:
            folder = run.path.parent / record["path"]
            file = PAGE_FILE if (folder / PAGE_FILE).exists() else "result.json"
            targets.append((words, f"../{record['path']}/{file}"))
    return Links(tuple(targets))
