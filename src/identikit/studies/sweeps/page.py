"""The page of a sweep: every row predicted, recovered and explained, its figure, its runs."""

import math
from collections.abc import Mapping

import pandas as pd

from identikit.report.figures import Curve, Figure, sweep
from identikit.report.page import Page, Section, Table
from identikit.report.tables import Links
from identikit.runs.store import PAGE_FILE, Run
from identikit.studies.pages import provenance
from identikit.studies.sweeps.records import RunRecord
from identikit.studies.sweeps.result import SweepResult
from identikit.studies.sweeps.summary import RowSummary, word_for
from identikit.studies.sweeps.sweep import Axis
from identikit.theory.explain import CEILING_MARGIN


def sweep_page(run: Run, result: SweepResult) -> Page:
    """The page of a saved `identikit reproduce` run."""
    groups: dict[str, list[RowSummary]] = {}
    for line in result.lines:
        groups.setdefault(line.row.group, []).append(line)
    return Page(
        title=result.title,
        subtitle=f"{result.question} {len(result.rows)} rows, {len(result.seeds)} seeds each, "
        f"{result.core_seconds / 60:.1f} core-minutes.",
        headline=result.headline,
        findings=result.findings,
        sections=(
            *_figure_section(result, groups),
            Section(
                heading="Every number",
                lead=f"Theory predicts: {result.prediction} Mean and standard deviation over "
                "seeds. The score is the one that fits the head: affine R² of free features and "
                "rows, linear R² (no constant) of unit-norm rows, Procrustes R² of unit-norm "
                "features. Excess is the loss above the Bayes loss, in nats; seconds are those of "
                "one core for a whole run.",
                tables=tuple(_table(group, lines, run) for group, lines in groups.items()),
                notes=(
                    "The ceiling is the mean over the seeds' worlds of what a perfect learner of "
                    "this width would score.",
                    f"A row that stays more than {CEILING_MARGIN} "
                    "below its ceiling is explained by the run of median gap, and by an "
                    " oracle: the same encoder trained on the true latents.",
                    "`identikit report FOLDER --runs` draws the page of every run.",
                ),
            ),
        ),
        provenance=provenance(run),
    )


def _figure_section(
    result: SweepResult, groups: Mapping[str, list[RowSummary]]
) -> tuple[Section, ...]:
    if result.axis is None:
        return ()
    return (
        Section(
            heading="Predicted and recovered",
            lead=result.prediction,
            figures=(_figure(result.axis, groups),),
        ),
    )


def _figure(axis: Axis, groups: Mapping[str, list[RowSummary]]) -> Figure:
    curves = [
        Curve(
            name=group,
            x=[line.row.x for line in lines if line.row.x is not None],
            recovered=[line.latents or math.nan for line in lines],
            ceiling=[math.nan if line.ceiling is None else line.ceiling for line in lines],
        )
        for group, lines in groups.items()
    ]
    return sweep(curves, x_label=axis.label, log_x=axis.log)


def _table(group: str, lines: list[RowSummary], run: Run) -> Table:
    papers = [line.row.paper for line in lines]
    beside = dict.fromkeys(name for line in lines for name, _ in line.row.beside)
    columns: dict[str, list[object]] = {
        "row": [line.row.label for line in lines],
        "paper": [None if paper is None else paper.latents for paper in papers],
        "head, paper": [None if paper is None else paper.head for paper in papers],
        **{name: [dict(line.row.beside).get(name) for line in lines] for name in beside},
        "predicted": [line.ceiling for line in lines],
        "recovered": [line.latents for line in lines],
        "mean over seeds, 95 %": [line.over_seeds for line in lines],
        "explained": [word_for(line) for line in lines],
        "head, predicted": [line.head_ceiling for line in lines],
        "head, recovered": [line.head for line in lines],
        "head, untied": [_untied_head(line) for line in lines],
        "by a scaled rotation": [line.rotation for line in lines],
        "singular values, error": [line.error_of_h for line in lines],
        "of rows, error": [line.error_of_rows for line in lines],
        "excess (nats)": [line.excess for line in lines],
        "observations": [line.observations for line in lines],
        "seconds": [line.seconds for line in lines],
        "runs": [_links(line, run) for line in lines],
    }
    unit = ("by a scaled rotation", "singular values, error", "of rows, error")
    for name in ("paper", "head, paper", "mean over seeds, 95 %", *unit, "head, untied"):
        if all(cell is None for cell in columns[name]):
            del columns[name]
    score = next((line.score for line in lines if line.latents is not None), "R²")
    caption = f"{group}, {score}" if group else score
    return Table(caption=caption, frame=pd.DataFrame(columns).astype(object))


def _untied_head(line: RowSummary) -> float | None:
    """From head rows that were never tied; beside tied ones, whose likeness is built in."""
    return line.row.untied.head if isinstance(line.row.untied, RunRecord) else None


def _links(line: RowSummary, run: Run) -> Links:
    """A link for each seed: to the run's page once it is drawn, until then to its numbers."""
    named = [(str(record.seed), record) for record in line.row.done]
    if isinstance(line.row.oracle, RunRecord):
        named.append(("oracle", line.row.oracle))
    if isinstance(line.row.untied, RunRecord):
        named.append(("untied", line.row.untied))
    targets = []
    for words, record in named:
        drawn = (run.path.parent / record.path / PAGE_FILE).exists()
        targets.append((words, f"../{record.path}/{PAGE_FILE if drawn else 'result.json'}"))
    return Links(tuple(targets))
