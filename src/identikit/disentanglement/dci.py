"""DCI: does a code serve one factor, does a factor need one code, and is it there at all.

For importances R (d, k), columns summing to 1: disentanglement of code i is 1 - H_k(R_i / |R_i|),
averaged with weights |R_i| / |R|; completeness of factor j is 1 - H_d(R_j / |R_j|), averaged over
factors; H_b is entropy to base b. Eastwood & Williams (ICLR 2018, openreview By-7dz-AZ), section
2. Informativeness is of held-out rows: balanced accuracy of levels, R² of numbers.

Variants: `trees`, boosted trees on levels, as in Locatello et al. (arXiv:1811.12359), appendix;
`regression-trees`, the same on factors as numbers; `lasso`, absolute weights of a Lasso on
standardised codes and factors, penalty by five-fold cross-validation, the linear variant of the
paper. Axis-aligned: a rotated perfect code scores low on D and C by design.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.linear_model import enet_path
from sklearn.model_selection import KFold

from identikit.core.errors import InputError, unknown_name
from identikit.disentanglement.boosting import boost
from identikit.disentanglement.table import (
    MOST_BINS,
    OK,
    Numbers,
    as_numbers,
    as_table,
    cut,
    split_rows,
)

VARIANTS = ("trees", "regression-trees", "lasso")

PENALTIES, LEAST_PENALTY, FOLDS = 100, 1e-3, 5
"""Of the Lasso, the least as a share of the one that leaves no weight: those of scikit-learn."""
EXACT = 1024
"""Codes with at most so many distinct values are not cut into bins: where leaves are small,
bins would move the importances."""
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DCI:
    """The three scores, each at most 1, and what they were made from."""

    disentanglement: float
    """1 where every code that matters serves one factor; 0 where all serve all alike."""
    completeness: float
    """1 where every factor is served by one code."""
    informativeness: float
    """Mean over factors of the held-out score of the predictor."""
    importance: Float[np.ndarray, "d k"]
    """Each factor's column sums to 1, or is 0 where no code helps to predict it."""
    per_code: Float[np.ndarray, " d"]
    """Disentanglement of each code; 0 for codes that serve nothing."""
    code_weight: Float[np.ndarray, " d"]
    """Share of each code in the mean."""
    per_factor: Float[np.ndarray, " k"]
    """Completeness of each factor; 0 for a factor that no code serves."""
    informativeness_per_factor: Float[np.ndarray, " k"]
    """Balanced accuracy or R², on held-out rows."""
    informativeness_chance: float
    """Of a guess: mean over factors of 1 / levels, or 0."""
    variant: str
    """Which predictor gave the importances."""
    status: str
    """`ok`, or why to read the scores with care."""
    axis_aligned: bool = True
    """D and C ask for factors on the axes of the code; a rotation destroys them."""


def dci(
    codes: Any,
    factors: Any,
    *,
    generator: torch.Generator,
    variant: str = "trees",
    factor_bins: int | None = None,
    test_share: float = 1 / 3,
) -> DCI:
    """Disentanglement, completeness, informativeness.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k); levels for `trees`, numbers otherwise.
        generator: Splits the rows.
        variant: See the head of this module.
        factor_bins: For `trees`, cuts continuous factors into levels of equal mass.
        test_share: Share of rows held out for informativeness; the others give importances.

    Raises:
        InputError: input that cannot be used.
    """
    if variant not in VARIANTS:
        raise unknown_name("variant of DCI", variant, VARIANTS)
    if variant == "trees":
        table = as_table(codes, factors, factor_bins=factor_bins)
        numbers, target = table.numbers, table.levels.astype(float)
    else:
        numbers = as_numbers(codes, factors)
        target = numbers.factors
    train, test = split_rows(len(target), share=test_share, generator=generator)
    fit = _FITS[variant]
    importance, informativeness = fit(numbers, target, train, test)
    chances = [1 / len(np.unique(column)) for column in target.T] if variant == "trees" else [0.0]
    return from_importance(
        importance,
        informativeness=informativeness,
        chance=float(np.mean(chances)),
        variant=variant,
        status=numbers.status,
    )


def from_importance(
    importance: Float[np.ndarray, "d k"],
    *,
    informativeness: Float[np.ndarray, " k"],
    chance: float = 0.0,
    variant: str,
    status: str = OK,
) -> DCI:
    """The scores of any importances of codes for factors."""
    d, k = importance.shape
    weight = importance.sum(axis=1)
    total = weight.sum()
    per_code, per_factor = _purity(importance), _purity(importance.T)
    code_weight = weight / total if total > 0 else np.zeros(d)
    unserved = int((importance.sum(axis=0) == 0).sum())
    if unserved:
        note = f"no code helps to predict {unserved} of {k} factors"
        status = note if status == OK else f"{status}; {note}"
    return DCI(
        disentanglement=float(per_code @ code_weight),
        completeness=float(per_factor.mean()),
        informativeness=float(informativeness.mean()),
        importance=importance,
        per_code=per_code,
        code_weight=code_weight,
        per_factor=per_factor,
        informativeness_per_factor=informativeness,
        informativeness_chance=chance,
        variant=variant,
        status=status,
    )


def _purity(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - entropy of each row to the base of its length; 0 for rows of zeros, 1 for length 1."""
    total = rows.sum(axis=1, keepdims=True)
    p = np.divide(rows, total, out=np.zeros_like(rows), where=total > 0)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    base = np.log(rows.shape[1]) if rows.shape[1] > 1 else 1.0
    return np.where(total[:, 0] > 0, 1 + (p * logs).sum(axis=1) / base, 0.0)


def _trees(
    numbers: Numbers, levels: NDArray[np.float64], train: Rows, test: Rows
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    single = np.flatnonzero(np.ptp(levels[train], axis=0) == 0)
    if len(single):
        raise InputError(
            f"factor {single[0]} (from 0) has one level among the {len(train)} rows that are "
            "fitted to. Give more rows of its other levels, or leave it out."
        )
    bins = _bins(numbers)
    boosted = boost(bins[train], levels[train], test=bins[test])
    known = [np.unique(column) for column in levels[train].T]
    scores = [
        _balanced_accuracy(known[j][f.argmax(axis=1)], levels[test, j])
        for j, f in enumerate(boosted.held_out)
    ]
    return boosted.importance, np.array(scores)


def _regression_trees(
    numbers: Numbers, factors: NDArray[np.float64], train: Rows, test: Rows
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    bins = _bins(numbers)
    boosted = boost(bins[train], factors[train], test=bins[test], numbers=True)
    predicted = np.concatenate(boosted.held_out, axis=1)
    return boosted.importance, _r2(predicted, factors[test])


def _bins(numbers: Numbers) -> NDArray[np.int64]:
    return cut(numbers.codes * numbers.alive, bins=MOST_BINS, keep=EXACT)


def _lasso(
    numbers: Numbers, factors: NDArray[np.float64], train: Rows, test: Rows
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    h, z = (_standardised(a, train) for a in (numbers.codes * numbers.alive, factors))
    fitted, targets = h[train], z[train]
    most = np.abs(fitted.T @ targets).max(axis=0) / len(train)
    most = np.maximum(most, np.finfo(float).resolution)  # of dead codes it is 0
    penalties = np.geomspace(most, LEAST_PENALTY * most, PENALTIES)
    errors = [
        _path_errors(fitted, targets, penalties, rows, held)
        for rows, held in KFold(FOLDS).split(fitted)
    ]
    least = np.mean(errors, axis=0).argmin(axis=0)
    best = np.take_along_axis(penalties, least[None], axis=0)
    weights = _lasso_path(fitted, targets, best)[0]
    total = np.abs(weights).sum(axis=0)
    importance = np.divide(np.abs(weights), total, out=np.zeros_like(weights), where=total > 0)
    return importance, _r2(h[test] @ weights, z[test])


def _path_errors(
    h: NDArray[np.float64],
    z: NDArray[np.float64],
    penalties: NDArray[np.float64],
    rows: Rows,
    held: Rows,
) -> NDArray[np.float64]:
    """Mean squared errors (penalties, k) of held-out rows."""
    mean_h, mean_z = h[rows].mean(axis=0), z[rows].mean(axis=0)
    path = _lasso_path(h[rows] - mean_h, z[rows] - mean_z, penalties)
    predicted = (h[held] - mean_h) @ path + mean_z
    return np.asarray(np.square(predicted - z[held]).mean(axis=1))


def _lasso_path(
    h: NDArray[np.float64], z: NDArray[np.float64], penalties: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights (penalties, d, k) of centred rows; LassoCV would check the same Gram each time."""
    given: dict[str, Any] = {"precompute": h.T @ h, "l1_ratio": 1.0, "check_input": False}
    h, z, product = (np.asfortranarray(a) for a in (h, z, h.T @ z))
    paths = [
        enet_path(h, z[:, j], alphas=penalties[:, j], Xy=product[:, j], **given)[1]
        for j in range(z.shape[1])
    ]
    return np.stack(paths, axis=-1).swapaxes(0, 1)


def _standardised(a: NDArray[np.float64], train: NDArray[np.int64]) -> NDArray[np.float64]:
    size = a[train].std(axis=0)
    return np.asarray((a - a[train].mean(axis=0)) / np.where(size > 0, size, 1.0))


def _balanced_accuracy(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    hits = predicted == truth
    return float(np.mean([hits[truth == level].mean() for level in np.unique(truth)]))


def _r2(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    error = np.square(truth - predicted).mean(axis=0)
    return np.asarray(1 - error / truth.var(axis=0))


_FITS = {"trees": _trees, "regression-trees": _regression_trees, "lasso": _lasso}
