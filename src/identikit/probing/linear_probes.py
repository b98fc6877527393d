"""The linear probe and the score that fit each kind of factor, on held-out samples.

continuous   regress z on h                            R²; r
circular     regress (cos, sin) of the angle together  pooled R²; cosine, median of the error
ordinal      regress the rank of the level             Spearman; R²
categorical  logistic regression                       balanced accuracy; see `class_scores`
binary       logistic regression                       AUC; the same

Regressions are ordinary least squares, as in the paper, unless cross-validation inside the
training part finds that they overfit; then they are ridge, and the status says so. Every
choice is made inside the training part: the held-out part is for scores, their intervals
(`bootstrap`) and their p-values (`permutation`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factor, Factors, Kind
from identikit.core.linalg import r2_score
from identikit.probing.class_scores import score_classes
from identikit.probing.classifier import classify, of_each_fold, principal_coordinates
from identikit.probing.default_measures import MEASURES
from identikit.probing.moments import FoldMoments
from identikit.probing.regression import (
    CompressedFeatures,
    Regression,
    fit_each,
    predict_each,
    within,
)
from identikit.probing.result import OK, FactorScore
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap, Resampled
from identikit.statistics.intervals import caveat
from identikit.statistics.permutation import Pairing, Permutations, benjamini_hochberg, holm
from identikit.statistics.split import Split

CLASSES = (Kind.CATEGORICAL, Kind.BINARY)
OVERHEAD = 1 << 15
"""What a pass over a block of problems costs beside its arithmetic, in rows times columns of
logits: calls, on which small features spend most of their time."""
Scored = tuple[FactorScore, Resampled, Pairing]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """Which samples fit, which choose penalties, which score; the same for all features."""

    split: Split
    folds: list[Split]
    """Of positions within `split.train`, on which penalties are chosen."""
    bootstrap: Bootstrap
    """Resamples of `split.test`."""
    permutations: Permutations
    """Shuffles of `split.test`."""
    many: bool = False
    """Whether many sets of features are read: features go into the span of the rows to fit on,
    where these are fewer than dimensions, and folds are solved together. The same to rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStatistics:
    """One set of features with the statistics that every linear probe of it needs."""

    features: CompressedFeatures
    statistics: FoldMoments
    """Of the plan's split, then of its folds; targets are those of the regressed factors."""
    fits: list[Regression]
    """The regressed factors' maps, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """A factor's score with what is needed to resample it beside another."""

    score: FactorScore
    resampled: Resampled
    pairing: Pairing
    loss: float
    """Of cross-validation inside the training part: squared error, or log-loss of classes."""


def gather(
    h: Float[Tensor, "n d_h"], factors: Factors, *, plan: EvaluationPlan
) -> FeatureStatistics:
    """One pass over the features.

    Raises:
        InputError: a factor that does not vary in one of the two parts, or has no level in both.
    """
    require_both_parts(factors, plan.split)
    features = CompressedFeatures.of(h, fitted=plan.split.train if plan.many else None)
    y = [targets(f) for f in factors.values() if f.kind not in CLASSES]
    widths = [t.shape[1] for t in y]
    splits = [plan.split, *within(plan.split, plan.folds)]
    joined = torch.cat(y, dim=1) if y else torch.zeros(len(h), 0, dtype=torch.float64)
    statistics = features.statistics(joined, splits=splits)
    fits = fit_each(statistics, widths=widths) if widths else []
    return FeatureStatistics(features=features, statistics=statistics, fits=fits)


def with_p_values(results: list[ProbeResult], *, plan: EvaluationPlan) -> tuple[FactorScore, ...]:
    """The scores, each with its p-value among all of them."""
    found = plan.permutations.p_values([result.pairing for result in results])
    return corrected(
        [
            replace(result.score, p_value=p, least_p_value=least)
            for result, p, least in zip(results, *found, strict=True)
        ]
    )


def corrected(scores: Sequence[FactorScore]) -> tuple[FactorScore, ...]:
    """Scores with p-values that are corrected for all of them; without, where one has none."""
    p = [score.p_value for score in scores if score.p_value is not None]
    least = [score.least_p_value for score in scores if score.least_p_value is not None]
    if len(p) < len(scores):
        return tuple(scores)
    columns = zip(scores, holm(p), benjamini_hochberg(p), holm(least), strict=True)
    return tuple(
        replace(score, p_holm=by_holm, p_fdr=by_fdr, least_p_holm=smallest)
        for score, by_holm, by_fdr, smallest in columns
    )


def above_controls(
    scores: tuple[FactorScore, ...],
    results: list[ProbeResult],
    *,
    controls: Mapping[str, list[ProbeResult]],
) -> tuple[FactorScore, ...]:
    """Add each score less that of each control, over the same resamples."""
    return tuple(
        replace(
            score,
            above={
                name: (own.resampled - others[j].resampled).estimates()[0]
                for name, others in controls.items()
            },
        )
        for j, (score, own) in enumerate(zip(scores, results, strict=True))
    )


def read_each(
    gathered: FeatureStatistics, factors: Factors, *, plan: EvaluationPlan
) -> list[ProbeResult]:
    """Score every factor from the gathered features."""
    results: dict[str, ProbeResult] = {}
    regressed = [f for f in factors.values() if f.kind not in CLASSES]
    if regressed:
        results |= _regressions(gathered, regressed, plan)
    classified = [f for f in factors.values() if f.kind in CLASSES]
    if classified:
        results |= _classifications(gathered, classified, plan)
    return [_with_caveat(results[name], plan.bootstrap.n_groups) for name in factors]


def _with_caveat(result: ProbeResult, groups: int) -> ProbeResult:
    """With the words for an interval that few samples decide in its status."""
    score = result.score
    words = caveat(score.effective_n or 0, of=groups)
    status = words if score.status == OK else f"{score.status}; {words}"
    return replace(result, score=replace(score, status=status)) if words else result


def targets(factor: Factor) -> Float[Tensor, "n k"]:
    """What is regressed: the values, or cosine and sine of the angle."""
    if factor.kind is not Kind.CIRCULAR:
        return factor.values.double()[:, None]
    angle = _angle(factor)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def require_both_parts(factors: Factors, split: Split) -> None:
    """Refuse factors that the split leaves without anything to fit or to score, naming all.

    Raises:
        InputError: one value only in a part, or no level in common.
    """
    found = [
        f"{factor.name!r} has {lack}"
        for factor in factors.values()
        if (lack := lack_of_values(factor, split))
    ]
    if found:
        raise InputError(
            f"{len(found)} of {len(factors)} factors cannot be read out: {'; '.join(found)} "
            f"({len(split.train)} samples to fit, {len(split.test)} held out). Give more samples, "
            "hold out other groups or take another seed, or leave these factors out."
        )


def lack_of_values(factor: Factor, split: Split) -> str | None:
    """Why a split leaves nothing to fit or to score of a factor; None where it does not."""
    train, test = factor.values[split.train], factor.values[split.test]
    for part, values in (("training", train), ("held-out", test)):
        if bool((values == values[0]).all()):
            return f"one value only in the {part} part"
    if factor.kind in CLASSES and not torch.isin(test, train).any():
        return "no level in both parts"
    return None


def _regressions(
    gathered: FeatureStatistics, factors: list[Factor], plan: EvaluationPlan
) -> dict[str, ProbeResult]:
    """All regressions in one solve."""
    split = plan.split
    y = [targets(f) for f in factors]
    predictions = predict_each(gathered.fits, gathered.features.h, split=split)
    held_out = {
        f.name: (f, prediction, t[split.test])
        for f, prediction, t in zip(factors, predictions, y, strict=True)
    }
    plain = {name: part for name, part in held_out.items() if part[0].kind is Kind.CONTINUOUS}
    found = _continuous(plain, plan.bootstrap) if plain else {}
    for name, (factor, prediction, target) in held_out.items():
        if factor.kind is Kind.ORDINAL:
            found[name] = _ordinal(factor, prediction, target, plan.bootstrap)
        elif factor.kind is Kind.CIRCULAR:
            found[name] = _circular(factor, prediction, target, plan.bootstrap)
    results = {}
    for factor, fit in zip(factors, gathered.fits, strict=True):
        score, resampled, pairing = found[factor.name]
        results[factor.name] = ProbeResult(
            score=replace(score, status=_status(gathered, fit)),
            resampled=resampled,
            pairing=pairing,
            loss=fit.error,
        )
    return results


def _continuous(
    parts: dict[str, tuple[Factor, Tensor, Tensor]], bootstrap: Bootstrap
) -> dict[str, Scored]:
    """All in one pass over the resamples."""
    prediction = torch.cat([prediction for _, prediction, _ in parts.values()], dim=1)
    target = torch.cat([target for _, _, target in parts.values()], dim=1)
    measure = MEASURES[Kind.CONTINUOUS]
    resampled = bootstrap.resampled(measure.of(prediction, target))
    r = bootstrap.value(measures.correlation(prediction, target)).tolist()
    results = {}
    for j, (name, (_, p, t)) in enumerate(parts.items()):
        own = resampled[j : j + 1]
        score = FactorScore(
            name=name,
            kind=Kind.CONTINUOUS,
            measure=measure.name,
            estimate=own.estimates()[0],
            chance=0.0,
            extras={"r": r[j]},
            effective_n=int(own.samples),
        )
        results[name] = score, own, Pairing(u=p, v=t)
    return results


def _ordinal(factor: Factor, prediction: Tensor, target: Tensor, bootstrap: Bootstrap) -> Scored:
    measure = MEASURES[factor.kind]
    resampled = bootstrap.resampled(measure.of(prediction, target))
    score = FactorScore(
        name=factor.name,
        kind=factor.kind,
        measure=measure.name,
        estimate=resampled.estimates()[0],
        chance=0.0,
        extras={"r2": r2_score(prediction, target).item()},
        effective_n=int(resampled.samples),
    )
    u, v = (measures.ranks(side[:, 0])[:, None] for side in (prediction, target))
    return score, resampled, Pairing(u=u, v=v)


def _circular(factor: Factor, prediction: Tensor, target: Tensor, bootstrap: Bootstrap) -> Scored:
    error = torch.atan2(prediction[:, 1], prediction[:, 0])
    error = error - torch.atan2(target[:, 1], target[:, 0])
    error = torch.atan2(error.sin(), error.cos())  # back into half a turn either way
    turn = (factor.period or math.tau) / math.tau
    measure = MEASURES[factor.kind]
    resampled = bootstrap.resampled(measure.of(prediction, target))
    score = FactorScore(
        name=factor.name,
        kind=factor.kind,
        measure=measure.name,
        estimate=resampled.estimates()[0],
        chance=0.0,
        extras={
            "mean_cosine": error.cos().mean().item(),
            "median_error": error.abs().median().item() * turn,
        },
        effective_n=int(resampled.samples),
    )
    return score, resampled, Pairing(u=prediction, v=target)


def _classifications(
    gathered: FeatureStatistics, factors: list[Factor], plan: EvaluationPlan
) -> dict[str, ProbeResult]:
    """All classifiers in one batch, in principal coordinates of the training part."""
    split = plan.split
    features, statistics = gathered.features, gathered.statistics
    (train, test), size = principal_coordinates(
        features, statistics.train(0), split.train, split.test
    )
    found = [torch.unique(f.values, return_inverse=True) for f in factors]
    y = torch.stack([label for _, label in found])
    classes = torch.tensor([len(levels) for levels, _ in found])
    fits = classify(
        train,
        size,
        y[:, split.train],
        classes=classes,
        folds=plan.folds,
        of_folds=of_each_fold(features, statistics, split.train),
        overhead=OVERHEAD if plan.many else 0,
    )
    results = {}
    for factor, fit, label in zip(factors, fits, y, strict=True):
        score, resampled, pairing = score_classes(
            factor, fit, test, label[split.test], plan.bootstrap
        )
        unseen = int((~torch.isin(label[split.test], label[split.train])).sum())
        status = OK if fit.converged else "the classifier did not converge"
        if unseen:
            status = f"{unseen} held-out samples have levels that training lacks"
        results[factor.name] = ProbeResult(
            score=replace(score, status=status),
            resampled=resampled,
            pairing=pairing,
            loss=fit.loss,
        )
    return results


def _status(gathered: FeatureStatistics, fit: Regression) -> str:
    if fit.rank == 0:
        return "the features do not vary"
    if not fit.penalty:
        return OK
    n, d = gathered.statistics.train(0).n, gathered.features.dim
    return f"ridge: least squares overfits {d} dimensions with {n} samples"


def _angle(factor: Factor) -> Tensor:
    return factor.values.double() * (math.tau / (factor.period or math.tau))
