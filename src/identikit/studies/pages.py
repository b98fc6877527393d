"""From saved runs to pages: what the pages of all studies share."""

from collections.abc import Mapping
from typing import Any

from identikit.recovery.result import Estimate, Recovery
from identikit.recovery.result import FactorScore as Score
from identikit.report.figures import FactorScore, Figure, factor_bars
from identikit.report.page import Provenance
from identikit.report.tables import Estimate as Shown
from identikit.studies.store import Run


def shown(estimate: Estimate | None) -> Shown | None:
    """An estimate as the report room draws it."""
    return None if estimate is None else Shown(estimate.value, estimate.low, estimate.high)


def recovery_bars(recovery: Recovery, *, measure: str) -> Figure:
    """Bars of all factors that are scored by one measure, controls beside them."""
    chosen = [score for score in recovery.factors if score.measure == measure]
    names = {score.name for score in chosen}
    controls: dict[str, dict[str, Shown]] = {name: {} for name in names}
    for control, scores in recovery.controls.items():
        for score in scores:
            if score.name in names:
                controls[score.name][_control_label(control)] = Shown(
                    score.estimate.value, score.estimate.low, score.estimate.high
                )
    return factor_bars(
        [_bar(score, recovery.ceiling, controls[score.name]) for score in chosen], score=measure
    )


def _bar(score: Score, ceiling: float | None, controls: Mapping[str, Shown]) -> FactorScore:
    estimate = shown(score.estimate)
    assert estimate is not None
    return FactorScore(
        name=score.name,
        estimate=estimate,
        ceiling=ceiling,
        covered=shown(score.covered),
        rest=shown(score.rest),
        chance=score.chance,
        controls=controls,
    )


def _control_label(name: str) -> str:
    return "x itself" if name == "x" else name


def provenance(run: Run) -> Provenance:
    """Where the run came from, as it was saved with it."""
    origin: dict[str, Any] = run.result["provenance"]
    return Provenance(config=run.config, **origin)
