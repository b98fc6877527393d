"""What an unmixing says: of the mean correlation, of each factor, of what is determined."""

from collections.abc import Iterator

from identikit.core.estimate import Estimate, as_text, fixed
from identikit.core.finding import (
    LEVEL,
    Control,
    Finding,
    Headline,
    Verdict,
    judge_interval,
)
from identikit.unmixing.scores import FactorComponent, UnmixingScores

MARGIN = 0.02
"""Of a prediction, within which an interval that has met it must lie."""
MEASURE = "|r|"


def unmixing_findings(found: UnmixingScores) -> tuple[Finding, ...]:
    """Of the mean correlation and each factor, where factors are known; of what is determined."""
    factors = (_factor(found, own) for own in found.factors)
    return (*_mean(found), *_own(found), *factors, _determined(found))


def unmixing_headline(found: UnmixingScores) -> Headline:
    """How many components can be named, and whether they are the factors."""
    said = f"{found.determined} of {len(found.components)} components are determined"
    if found.mcc is None:
        return Headline(sentence=f"{said} up to order and sign.", word="Measured", tone="neutral")
    (mean,) = _mean(found)
    own = int(found.own.factors) if found.own else 0
    words = (
        f"{said} up to order and sign; mean |r| with the factors {found.mcc}; {own} of "
        f"{found.linearly} factors that a linear map recovers have a component of their own."
    )
    return Headline(sentence=words, word=mean.verdict.capitalize(), tone=mean.verdict.tone)


def judge(recovered: Estimate, predicted: Estimate | float | None) -> Verdict:
    """The verdict on a correlation; within its range, where a range is predicted."""
    if predicted is None:
        return Verdict.MEASURED
    if not isinstance(predicted, Estimate):
        return judge_interval(recovered, predicted, within=MARGIN)
    if recovered.low > predicted.high + MARGIN:
        return Verdict.MORE
    return Verdict.LESS if recovered.high < predicted.low - MARGIN else Verdict.AS_PREDICTED


def arbitrary(found: UnmixingScores) -> str:
    """What the components are held against."""
    return "random atoms" if found.method == "sparse" else "random rotation"


def _mean(found: UnmixingScores) -> Iterator[Finding]:
    if found.mcc is None or found.random is None or found.shuffled is None:
        return
    verdict = judge(found.mcc, found.predicted)
    loose = [own for own in found.factors if not own.alone]
    if found.method == "sparse":
        words = _uniqueness(found)
    elif found.predicted is None:
        words = "Theory makes no promise for factors that depend on each other."
    elif loose:
        words = (
            f"{len(loose)} of {len(found.factors)} factors can be turned into each other "
            "without a trace, so what they become is an arbitrary rotation, and so is its score."
        )
    else:
        words = (
            f"Independent and not Gaussian: determined up to order and sign from {_enough(found)}."
        )
    if verdict is Verdict.LESS:
        worst = min(found.factors, key=lambda own: own.correlation.value)
        words += f" Least is {worst.name}: {_cause(found, worst)}"
    controls = [Control(name=arbitrary(found), recovered=found.random)]
    if found.raw is not None:
        controls.append(Control(name="own axes", recovered=found.raw))
    yield Finding(
        quantity="mean over factors",
        measure=MEASURE,
        predicted=found.predicted,
        recovered=found.mcc,
        chance=found.shuffled,
        controls=tuple(controls),
        explained=words,
        verdict=verdict,
    )


def _own(found: UnmixingScores) -> Iterator[Finding]:
    """How many factors have a component that holds more than half of what a linear map does."""
    if found.own is None or found.own_random is None:
        return
    promised = found.predicted is not None and all(own.alone for own in found.factors)
    controls, others = [], []
    for name, own in ((arbitrary(found), found.own_random), ("own axes", found.own_raw)):
        if own is not None:
            controls.append(Control(name=name, recovered=own.factors))
            others.append(f"{name} {as_text(own.held)}")
    count, many = int(found.own.factors), found.linearly
    verdict = Verdict.MEASURED if count else Verdict.NOT_SHOWN
    if promised and many:
        verdict = Verdict.AS_PREDICTED if count == many else Verdict.LESS
    words = (
        f"Of {many} that a linear map of h recovers: one component, chosen on the rows fitted on, "
        "holds more than half of what the linear map does (r², held out). Of all of them "
        f"together it holds {as_text(found.own.held)} ({', '.join(others)})."
    )
    yield Finding(
        quantity="factors with a component of their own",
        predicted=many if promised and many else None,
        recovered=count,
        controls=tuple(controls),
        explained=words if many else "No linear map of h is shown to recover any factor.",
        verdict=verdict,
    )


def _enough(found: UnmixingScores) -> str:
    return "" if found.enough is None else f"{max(1, round(found.enough)):,} samples on (|r| 0.99)"


def _factor(found: UnmixingScores, own: FactorComponent) -> Finding:
    verdict = judge(own.correlation, own.predicted)
    if own.p > LEVEL:
        verdict = Verdict.NOT_SHOWN
    controls = [Control(name=arbitrary(found), recovered=own.random)]
    if own.raw is not None:
        controls.append(Control(name="own axes", recovered=own.raw))
    cause = _sparse_cause(own) if found.method == "sparse" else _cause(found, own)
    words = f"Its component is {own.component}. {cause}"
    return Finding(
        quantity=own.name,
        measure=MEASURE,
        predicted=own.predicted,
        recovered=own.correlation,
        controls=tuple(controls),
        explained=words,
        verdict=verdict,
    )


def _cause(found: UnmixingScores, own: FactorComponent) -> str:
    """The first measured cause of what is missing, or that nothing is."""
    value = own.correlation.value
    if value < 1 - MARGIN and value > own.linear - MARGIN:
        return f"No less than linear: the best linear map of h has r = {fixed(own.linear, 3)}."
    if own.linear - own.kept > MARGIN:
        return (
            f"Part of it lies in axes that were left out: r = {fixed(own.linear, 3)} from all of "
            f"h, {fixed(own.kept, 3)} from the {len(found.components)} kept (--components)."
        )
    if not own.alone:
        why = "it is as Gaussian as can be told" if own.gaussian else "its plane is isotropic"
        return (
            f"Its own values do not say where it points: {why}, so any rotation with another such "
            "factor is as good."
        )
    if own.partner and value < 1 - MARGIN:
        return f"It depends on {own.partner}, and ICA looks for what is independent."
    if isinstance(own.predicted, float) and own.predicted < 1 - MARGIN:
        return f"{found.n_train:,} samples are few; {_enough(found)} would do."
    if own.linear < 1 - MARGIN:
        return f"The best linear map of h has r = {fixed(own.linear, 3)} only."
    spare = len(found.components) - len(found.factors)
    if value < 1 - MARGIN and spare:
        return (
            f"{spare} components were sought beside one for each factor. Where axes of little "
            "variance hold functions of the same factors, fewer do better (--components "
            f"{len(found.factors)})."
        )
    if value < 1 - MARGIN:
        return "No measured cause: linear, determined, independent, and samples are enough."
    return "Linear in h, determined, and found."


def _uniqueness(found: UnmixingScores) -> str:
    assert found.active is not None
    assert found.coherence is not None
    bound = (1 + 1 / max(found.coherence, 1e-9)) / 2
    return (
        f"{fixed(found.active, 1)} atoms are in use for a sample; codes are sure to be unique "
        f"below {fixed(bound, 1)} (largest cosine of two atoms {fixed(found.coherence, 2)}), and "
        "often are above. That they are the factors' own atoms is promised for exactly sparse "
        "codes and enough samples (Hillar and Sommer 2015), not for any one search."
    )


def _sparse_cause(own: FactorComponent) -> str:
    value = own.correlation.value
    if value <= own.random + MARGIN:
        return "Random atoms do as well."
    if value < own.linear - MARGIN:
        return (
            f"A linear map of h does better, r = {fixed(own.linear, 3)}: no such atom was learned, "
            "or the factor is not sparse."
        )
    if own.linear < value - MARGIN:
        return (
            f"No linear map of h has it as well (r = {fixed(own.linear, 3)}): it shares its "
            "dimensions with other factors, and sparsity tells them apart."
        )
    return f"As well as the best linear map of h has it (r = {fixed(own.linear, 3)})."


def _determined(found: UnmixingScores) -> Finding:
    if found.method == "sparse":
        return Finding(
            quantity="determined components",
            recovered=found.determined,
            explained="Atoms that every other start has too (cosine 0.9), of "
            f"{len(found.components)}.",
            verdict=Verdict.MEASURED if found.determined else Verdict.NOT_SHOWN,
        )
    many = len(found.components)
    groups = many - found.determined
    if found.determined == many:
        words = "Every plane of two components has a rotation that is better than the others."
    elif not found.determined:
        words = (
            "In no component's planes is a rotation shown to be better than another: the data are "
            "as Gaussian, or as isotropic, as can be told, and the components are arbitrary."
        )
    else:
        words = (
            f"{groups} can be turned into each other without a loss that shows: between these, "
            "names are arbitrary."
        )
    return Finding(
        quantity="determined components",
        recovered=found.determined,
        explained=f"{words} Tested on {found.n_test:,} rows that were not fitted on, all planes "
        "together at 0.05.",
        verdict=Verdict.MEASURED if found.determined else Verdict.NOT_SHOWN,
    )
