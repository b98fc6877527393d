"""Regression for read-outs: least squares, unless it overfits; then ridge.

Least squares is the paper's choice and needs samples that outnumber dimensions, and
features of which none is at rest in training and moves in the held-out part. Cross-validation
inside the training part, by whole groups, says where that fails: ridge,

    min_{A, b} |Y - (X A + b)|² + penalty |Xc|² |A|²,  Xc = X less its mean,

replaces it for a factor where its squared error is less than 0.95 of that of least squares.
The penalty, in units of |Xc|², is the one with the least such error. X is (n, d), Y (n, k).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.linalg import least_squares
from identikit.recovery.split import Split

PENALTIES = tuple(10 ** (exponent / 2) for exponent in range(-16, 3))
GAIN = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Held-out predictions of one factor's targets."""

    prediction: Float[Tensor, "n_test k"]
    ridged: bool
    """Whether ridge took the place of least squares."""


def regress(
    train: Float[Tensor, "n d"],
    targets: list[Float[Tensor, "n _"]],
    test: Float[Tensor, "n_test d"],
    *,
    folds: list[Split],
) -> list[Regression]:
    """Predict each factor's columns for the test features.

    Args:
        train: Features to fit on.
        targets: Columns of each factor for the same samples.
        test: Features to predict from.
        folds: Splits of the training samples, on which ridge and its penalty are chosen.
    """
    y = torch.cat(targets, dim=1)
    plain_error = torch.zeros(y.shape[1], dtype=torch.float64)
    ridge_error = torch.zeros(len(PENALTIES), y.shape[1], dtype=torch.float64)
    for fold in folds:
        fit, seen, held, truth = train[fold.train], y[fold.train], train[fold.test], y[fold.test]
        if len(fit) > train.shape[1] + 1:
            plain_error += (_plain(fit, seen, held) - truth).square().sum(0)
        else:
            plain_error += torch.inf
        ridge_error += (_ridge(fit, seen, held) - truth).square().sum(1)
    widths = [target.shape[1] for target in targets]
    errors = [e.sum(1) for e in torch.split(ridge_error, widths, dim=1)]
    plain_errors = [e.sum() for e in torch.split(plain_error, widths)]
    chosen = [bool(e.min() < GAIN * p) for e, p in zip(errors, plain_errors, strict=True)]
    ridge = torch.split(_ridge(train, y, test), widths, dim=2) if any(chosen) else ()
    plain = torch.split(_plain(train, y, test), widths, dim=1) if not all(chosen) else ()
    return [
        Regression(prediction=ridge[j][int(errors[j].argmin())], ridged=True)
        if chosen[j]
        else Regression(prediction=plain[j], ridged=False)
        for j in range(len(targets))
    ]


def _plain(x: Tensor, y: Tensor, new: Tensor) -> Tensor:
    return least_squares(x, y).predict(new)


def _ridge(x: Tensor, y: Tensor, new: Tensor) -> Tensor:
    """Predictions (penalties, n_new, k) from one eigendecomposition of the smaller Gram matrix.

    Safe in float64, unlike a plain pseudo-inverse: the least penalty stands far above rounding.
    """
    mean, mean_target = x.double().mean(dim=0), y.mean(dim=0)
    x, new, y = x.double() - mean, new.double() - mean, y - mean_target
    wide = x.shape[0] <= x.shape[1]
    values, vectors = torch.linalg.eigh(x @ x.T if wide else x.T @ x)
    left = (new @ x.T if wide else new) @ vectors
    right = vectors.T @ (y if wide else x.T @ y)
    values = values.clamp(min=0)
    size = values.sum().clamp(min=torch.finfo(torch.float64).tiny)  # nothing varies: the mean
    weight = 1 / (values + size * values.new_tensor(PENALTIES)[:, None])
    prediction: Tensor = left @ (weight[:, :, None] * right) + mean_target
    return prediction
