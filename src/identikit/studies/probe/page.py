"""The page of a probe: what is there, whether it could be chance or memory, what theory covers."""

from pathlib import Path
from typing import Any

import pandas as pd

from identikit.core.estimate import format_number
from identikit.probing.explain import explain_factor
from identikit.probing.result import FactorScore, Recovery
from identikit.report.page import ComparisonRow, Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance, recovery_figures

LEVEL = 0.05
"""Of the corrected p-values."""


def probe_page(run: Run) -> Page:
    """The page of a saved `identikit probe` run."""
    recovery = Recovery.from_dict(run.result["recovery"])
    kinds: dict[str, str] = run.result["kinds"]
    found = [s for s in recovery.factors if _is_there(s)]
    notes = tuple(run.result["notes"])
    paths = [Path(path).name for path in run.config["features"]]
    words = "; predicted is what the part covered by the head holds" if _has_head(recovery) else ""
    words += f"; {len(notes)} notes on what was read, see the end" if notes else ""
    return Page(
        title="What is linearly in these features",
        subtitle=f"{paths[0]}{f' and {len(paths) - 1} more files' if paths[1:] else ''}: "
        f"{recovery.n_train + recovery.n_test:,} samples, {recovery.dim} dimensions{words}",
        verdict=f"{len(found)} of {len(recovery.factors)} factors are read out better than chance"
        + (f": {', '.join(s.name for s in found)}." if found else "."),
        verdict_tone="good" if len(found) == len(recovery.factors) else "warning",
        rows=tuple(_row(s, kinds[s.name]) for s in recovery.factors),
        sections=(
            *_figures(recovery),
            _chance(recovery),
            _every_score(recovery),
            *_classic(run.result["classic"]),
            _what_was_read(recovery, kinds, notes),
        ),
        provenance=provenance(run),
    )


def _has_head(recovery: Recovery) -> bool:
    return any(s.covered is not None for s in recovery.factors)


def _is_there(score: FactorScore) -> bool:
    """Above chance by its interval, and by its p-value after correction."""
    return score.estimate.low > score.chance and (score.p_holm is None or score.p_holm <= LEVEL)


def _row(score: FactorScore, kind: str) -> ComparisonRow:
    words = [explain_factor(score)]
    if score.p_holm is not None:
        words.append(f"p {format_number(score.p_holm)} (Holm)")
    if score.selectivity is not None:
        words.append(f"selectivity {score.selectivity}")
    return ComparisonRow(
        quantity=f"{score.name}: {kind} ({score.measure})",
        predicted=score.covered,
        recovered=score.estimate,
        explained="; ".join(words) + ".",
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
        columns["random items"] = [s.control_task for s in recovery.factors]
        columns["selectivity"] = [s.selectivity for s in recovery.factors]
    items = (
        "Random items are random values for each item: they keep a factor's spread and can only be "
        "memorised. What a score has above them (selectivity) is read, not learned by heart."
        if tasks
        else "With --items, a control task says what of a score is memorised (selectivity)."
    )
    return Section(
        heading="Could it be chance, or memory?",
        lead="p is the share of shuffles of the held-out factor under which the same read-out "
        f"scores as well; Holm's correction keeps all {len(recovery.factors)} together honest, "
        "Benjamini and Hochberg's (B-H) the share of wrong ones among those found.",
        tables=(Table(caption="Chance and memory", frame=pd.DataFrame(columns)),),
        notes=(items,),
    )


def _every_score(recovery: Recovery) -> Section:
    return Section(
        heading="Every score",
        lead="Covered is the part of h inside the row space of the head, the only part that theory "
        "speaks of; the rest is what lies outside it.",
        tables=(
            Table(
                caption="All factors, features and intervals",
                frame=recovery.to_frame().drop(columns=["status"]),
            ),
        ),
        notes=tuple(f"{s.name}: {s.status}." for s in recovery.factors if s.status != "ok"),
    )


def _classic(scores: list[dict[str, Any]]) -> tuple[Section, ...]:
    if not scores:
        return ()
    frame = pd.DataFrame(
        {
            "score": [s["name"] for s in scores],
            "value": pd.Series([s["value"] for s in scores], dtype=object),
            "chance": pd.Series([s["chance"] for s in scores], dtype=object),
            "asks for axes": ["yes" if s["axis_aligned"] else "no" for s in scores],
            "variant": [s["variant"] for s in scores],
            "status": [s["status"] for s in scores],
        }
    )
    return (
        Section(
            heading="The classic scores of disentanglement",
            lead="Most of these are axis-aligned: they ask for one factor per dimension of h, "
            "which theory does not promise. A representation with every factor linearly in it "
            "scores low if it is rotated. Low here and high above means: there, but not on the "
            "axes.",
            tables=(Table(caption="Classic scores", frame=frame),),
            notes=(
                f"From {scores[0]['rows']:,} samples at random. Factors of numbers are cut into 20 "
                "levels of equal mass.",
            ),
        ),
    )


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
