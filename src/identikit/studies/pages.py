"""From saved runs to pages: what the pages of all studies share."""

from collections.abc import Mapping
from dataclasses import replace

from identikit.core.estimate import Estimate
from identikit.probing.recovery import Recovery
from identikit.probing.result import FactorScore as Score
from identikit.report.figures import FactorScore, Figure, factor_bars
from identikit.report.page import Provenance
from identikit.runs.store import Run


def recovery_bars(recovery: Recovery, *, measure: str) -> Figure:
    """Bars of all factors that are scored by one measure, controls beside them."""
    chosen = [score for score in recovery.factors if score.measure == measure]
    names = {score.name for score in chosen}
    controls: dict[str, dict[str, Estimate]] = {name: {} for name in names}
    for control, scores in recovery.controls.items():
        for score in scores:
            if score.name in names:
                controls[score.name][_control_label(control)] = score.estimate
    return factor_bars(
        [_bar(score, recovery.ceiling, controls[score.name]) for score in chosen], score=measure
    )


def recovery_figures(recovery: Recovery) -> dict[str, Figure]:
    """Bars of all factors, a figure for each measure."""
    measures = dict.fromkeys(score.measure for score in recovery.factors)
    return {
        measure: replace(recovery_bars(recovery, measure=measure), name=f"factors-{k + 1}")
        for k, measure in enumerate(measures)
    }


def _bar(score: Score, ceiling: float | None, controls: Mapping[str, Estimate]) -> FactorScore:
    return FactorScore(
        name=score.name,
        estimate=score.estimate,
        ceiling=ceiling,
        row_space=score.row_space,
        complement=score.complement,
        chance=score.chance,
        controls=controls,
    )


def _control_label(name: str) -> str:
    return "x itself" if name == "x" else name


def provenance(run: Run) -> Provenance:
    """Where the run came from, as it was saved with it."""
    return Provenance(config=run.config, **run.origin)
