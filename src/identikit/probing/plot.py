"""What was recovered as a figure: bars per factor, or curves over layers, controls beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from identikit.core.estimate import Estimate
from identikit.probing.result import FactorScore, RecoveryScores
from identikit.report.figures import FactorBar, Figure, LayerCurve, factor_bars, layer_curves


def recovery_bars(recovery: RecoveryScores, *, measure: str | None = None) -> Figure:
    """Bars of the factors that are scored by one measure, or of all, named with theirs."""
    measures = list(dict.fromkeys(score.measure for score in recovery.factors))
    if measure is None and len(measures) == 1:
        measure = measures[0]
    places = [
        j for j, score in enumerate(recovery.factors) if measure is None or score.measure == measure
    ]
    bars = [
        _bar(
            recovery.factors[j],
            [(name, scores[j].estimate) for name, scores in recovery.controls.items()],
            ceiling=recovery.ceiling,
            named=measure is None,
        )
        for j in places
    ]
    return factor_bars(bars, score="held-out score" if measure is None else measure)


def recovery_figures(recovery: RecoveryScores) -> dict[str, Figure]:
    """Bars of all factors, a figure for each measure."""
    measures = dict.fromkeys(score.measure for score in recovery.factors)
    return {
        measure: replace(recovery_bars(recovery, measure=measure), name=f"factors-{k + 1}")
        for k, measure in enumerate(measures)
    }


def recovery_curves(layers: Mapping[str, RecoveryScores], *, best: Sequence[str]) -> Figure:
    """Curves over layers, a panel for each factor, with the layer that is named for it."""
    names, found = list(layers), list(layers.values())
    controls = list(dict.fromkeys(name for recovery in found for name in recovery.controls))
    return layer_curves(
        [
            LayerCurve(
                name=score.name,
                measure=score.measure,
                values=[recovery.factors[j].estimate for recovery in found],
                chance=score.chance,
                controls={
                    name: [
                        r.controls[name][j].estimate if name in r.controls else None for r in found
                    ]
                    for name in controls
                },
                best=names.index(best[j]),
            )
            for j, score in enumerate(found[0].factors)
        ],
        layers=names,
    )


def _bar(
    score: FactorScore,
    controls: Sequence[tuple[str, Estimate]],
    *,
    ceiling: float | None,
    named: bool,
) -> FactorBar:
    return FactorBar(
        name=f"{score.name} ({score.measure})" if named else score.name,
        estimate=score.estimate,
        ceiling=ceiling if score.measure == "R²" else None,
        row_space=score.row_space,
        complement=score.complement,
        chance=score.chance,
        controls={"x itself" if name == "x" else name: found for name, found in controls},
    )
