"""The linear read-out and the score that fit each kind of factor, on held-out samples.

continuous   regress z on h                            R²; r
circular     regress (cos, sin) of the angle together  pooled R²; cosine, median of the error
ordinal      regress the rank of the level             Spearman; R²
categorical  logistic regression                       balanced accuracy; accuracy
binary       logistic regression                       AUC; balanced accuracy

Regressions are ordinary least squares, as in the paper, unless cross-validation inside the
training part finds that they overfit; then they are ridge, and the status says so.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.errors import InputError
from identikit.factors import Factor, Factors, Kind
from identikit.linalg import principal_axes, r2_score
from identikit.recovery import measures
from identikit.recovery.bootstrap import Bootstrap
from identikit.recovery.classifier import fit_logistic
from identikit.recovery.moments import FoldMoments
from identikit.recovery.regression import Narrowed, Regression, fit_each, predict_each, within
from identikit.recovery.result import OK, FactorScore
from identikit.recovery.split import Split

CLASSES = (Kind.CATEGORICAL, Kind.BINARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Which samples fit, which choose penalties, which score; the same for all features."""

    split: Split
    folds: list[Split]
    """Of positions within `split.train`, on which penalties are chosen."""
    bootstrap: Bootstrap
    """Resamples of `split.test`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """One set of features with the statistics that every linear read-out of it needs."""

    features: Narrowed
    statistics: FoldMoments
    """Of the trial's split, then of its folds; targets are those of the regressed factors."""


def gather(h: Float[Tensor, "n d_h"], factors: Factors, *, trial: Trial) -> Gathered:
    """One pass over the features.

    Raises:
        InputError: a factor that does not vary in one of the two parts, or has no level in both.
    """
    for factor in factors.values():
        require_both_parts(factor, trial.split)
    features = Narrowed.of(h)
    y = [targets(f) for f in factors.values() if f.kind not in CLASSES]
    splits = [trial.split, *within(trial.split, trial.folds)]
    joined = torch.cat(y, dim=1) if y else torch.zeros(len(h), 0, dtype=torch.float64)
    statistics = features.statistics(joined, splits=splits)
    return Gathered(features=features, statistics=statistics)


def read_out(gathered: Gathered, factors: Factors, *, trial: Trial) -> tuple[FactorScore, ...]:
    """Score every factor from the gathered features."""
    scores: dict[str, FactorScore] = {}
    regressed = [f for f in factors.values() if f.kind not in CLASSES]
    if regressed:
        scores |= _regressions(gathered, regressed, trial)
    classified = [f for f in factors.values() if f.kind in CLASSES]
    if classified:
        h = gathered.features.h
        coordinates = _coordinates(h[trial.split.train], h[trial.split.test])
        scores |= {f.name: _classification(coordinates, f, trial) for f in classified}
    return tuple(scores[name] for name in factors)


def targets(factor: Factor) -> Float[Tensor, "n k"]:
    """What is regressed: the values, or cosine and sine of the angle."""
    if factor.kind is not Kind.CIRCULAR:
        return factor.values.double()[:, None]
    angle = _angle(factor)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def require_both_parts(factor: Factor, split: Split) -> None:
    """Refuse a factor that the split leaves without anything to fit or to score.

    Raises:
        InputError: one value only in a part, or no level in common.
    """
    for part, rows in (("training", split.train), ("held-out", split.test)):
        values = factor.values[rows]
        if bool((values == values[0]).all()):
            raise InputError(
                f"factor {factor.name!r} has one value only in the {part} part "
                f"({len(rows)} samples). Give more samples, split by other groups, "
                "or leave the factor out."
            )
    test = factor.values[split.test]
    if factor.kind in CLASSES and not torch.isin(test, factor.values[split.train]).any():
        raise InputError(
            f"factor {factor.name!r} has no level in both parts, so no classifier can be "
            "scored. Hold out other groups, or leave the factor out."
        )


def _regressions(gathered: Gathered, factors: list[Factor], trial: Trial) -> dict[str, FactorScore]:
    """All regressions in one solve."""
    split = trial.split
    y = [targets(f) for f in factors]
    fits = fit_each(gathered.statistics, widths=[t.shape[1] for t in y])
    predictions = predict_each(fits, gathered.features.h, split=split)
    held_out = {
        f.name: (f, prediction, t[split.test])
        for f, prediction, t in zip(factors, predictions, y, strict=True)
    }
    plain = {name: part for name, part in held_out.items() if part[0].kind is Kind.CONTINUOUS}
    scores = _continuous(plain, trial.bootstrap) if plain else {}
    for name, (factor, prediction, target) in held_out.items():
        if factor.kind is Kind.ORDINAL:
            scores[name] = _ordinal(factor, prediction, target, trial.bootstrap)
        elif factor.kind is Kind.CIRCULAR:
            scores[name] = _circular(factor, prediction, target, trial.bootstrap)
    return {
        f.name: replace(scores[f.name], status=_status(gathered, fit))
        for f, fit in zip(factors, fits, strict=True)
    }


def _continuous(
    parts: dict[str, tuple[Factor, Tensor, Tensor]], bootstrap: Bootstrap
) -> dict[str, FactorScore]:
    """All in one pass over the resamples."""
    prediction = torch.cat([prediction for _, prediction, _ in parts.values()], dim=1)
    target = torch.cat([target for _, _, target in parts.values()], dim=1)
    estimates = bootstrap.estimates(measures.r2(prediction, target))
    r = bootstrap.value(measures.correlation(prediction, target)).tolist()
    return {
        name: FactorScore(
            name=name,
            kind=Kind.CONTINUOUS,
            measure="R²",
            estimate=estimate,
            chance=0.0,
            extras={"r": each},
        )
        for name, estimate, each in zip(parts, estimates, r, strict=True)
    }


def _ordinal(
    factor: Factor, prediction: Tensor, target: Tensor, bootstrap: Bootstrap
) -> FactorScore:
    statistic = measures.spearman(prediction[:, 0], target[:, 0])
    return FactorScore(
        name=factor.name,
        kind=factor.kind,
        measure="Spearman",
        estimate=bootstrap.estimates(statistic)[0],
        chance=0.0,
        extras={"r2": r2_score(prediction, target).item()},
    )


def _circular(
    factor: Factor, prediction: Tensor, target: Tensor, bootstrap: Bootstrap
) -> FactorScore:
    error = torch.atan2(prediction[:, 1], prediction[:, 0])
    error = error - torch.atan2(target[:, 1], target[:, 0])
    error = torch.atan2(error.sin(), error.cos())  # back into half a turn either way
    turn = (factor.period or math.tau) / math.tau
    return FactorScore(
        name=factor.name,
        kind=factor.kind,
        measure="circular R²",
        estimate=bootstrap.estimates(measures.r2(prediction, target, pooled=True))[0],
        chance=0.0,
        extras={
            "mean_cosine": error.cos().mean().item(),
            "median_error": error.abs().median().item() * turn,
        },
    )


def _classification(
    coordinates: list[tuple[Tensor, Tensor]], factor: Factor, trial: Trial
) -> FactorScore:
    split, bootstrap = trial.split, trial.bootstrap
    levels, y = torch.unique(factor.values, return_inverse=True)
    fits = [
        fit_logistic(train, y[split.train], classes=len(levels), fold=trial.folds[0])
        for train, _ in coordinates
    ]
    best = min(range(len(fits)), key=lambda k: fits[k][1])
    fit, target = fits[best][0], y[split.test]
    logits = fit.logits(coordinates[best][1])
    predicted = logits.argmax(dim=1)
    balanced = measures.balanced_accuracy(predicted, target)
    if factor.kind is Kind.BINARY:
        measure, chance = "AUC", 0.5
        statistic = measures.auc(logits[:, 1] - logits[:, 0], target)
        extras = {"balanced_accuracy": bootstrap.value(balanced).item()}
    else:
        measure, chance, statistic = "balanced accuracy", 1 / len(torch.unique(target)), balanced
        extras = {"accuracy": (predicted == target).double().mean().item()}
    unseen = ~torch.isin(target, y[split.train])
    status = OK if fit.converged else "the classifier did not converge"
    if bool(unseen.any()):
        status = f"{int(unseen.sum())} held-out samples have levels that training lacks"
    return FactorScore(
        name=factor.name,
        kind=factor.kind,
        measure=measure,
        estimate=bootstrap.estimates(statistic)[0],
        chance=chance,
        extras=extras,
        status=status,
    )


def _coordinates(train: Tensor, test: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Principal coordinates, each of unit variance, or in the unit of the first.

    The penalty is blind to any affine map of the first kind; where samples are few that
    lifts noise to the size of signal, so a classifier may choose the second kind.
    """
    axes = principal_axes(train)
    a, b = axes.coordinates(train), axes.coordinates(test)
    return [(a / size, b / size) for size in (axes.size, axes.size[:1])]


def _status(gathered: Gathered, fit: Regression) -> str:
    if fit.rank == 0:
        return "the features do not vary"
    if not fit.penalty:
        return OK
    n, d = gathered.statistics.train(0).n, gathered.features.dim
    return f"ridge: least squares overfits {d} dimensions with {n} samples"


def _angle(factor: Factor) -> Tensor:
    return factor.values.double() * (math.tau / (factor.period or math.tau))
