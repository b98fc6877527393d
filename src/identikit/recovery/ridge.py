"""Ridge read-out: min_{A, b} |Z - (H A + b)|² + penalty |Hc|² |A|², Hc = H less its mean.

For representations with more dimensions than samples, where plain least squares has no
one answer. The penalty counts in units of the squared size of Hc, so a read-out does not
change when h is scaled, shifted or rotated, and it is chosen without the samples that are
scored: by the same held-out test, repeated inside the fitting part. Gram matrices are
safe here, unlike for a plain pseudo-inverse (`linalg`): the smallest penalty stands far
above their rounding. H is (n, d), Z is (n, k); rows are samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.errors import InputError

PENALTIES = tuple(10 ** (exponent / 2) for exponent in range(-16, 3))
"""From nearly none (1e-8) to nearly the constant (10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows to fit on and rows to score."""

    fit: Int[Tensor, " n_fit"]
    score: Int[Tensor, " n_score"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgeReadout:
    """What a ridge read-out says of rows that it has not seen."""

    prediction: Float[Tensor, "n_score k"]
    """Of the outer split's rows to score, float64."""
    penalty: float
    """The one of `PENALTIES` that did best inside the fitting part."""


def ridge_readout(
    h: Float[Tensor, "n d"],
    z: Float[Tensor, "n k"],
    *,
    split: Split,
    inner: Sequence[Split],
) -> RidgeReadout:
    """Fit on a split's rows, with the penalty that scored best on inner splits of them.

    Args:
        h: Representation.
        z: Targets.
        split: The rows to fit and the rows to predict.
        inner: Splits of the rows to fit, made as the outer one was.

    Raises:
        InputError: an inner split that touches rows outside of the fitting part.
    """
    for part in inner:
        if not bool(torch.isin(torch.cat([part.fit, part.score]), split.fit).all()):
            raise InputError(
                "inner splits must stay within the rows to fit, or the penalty is chosen "
                "on rows that are scored; make them from split.fit."
            )
    error = torch.zeros(len(PENALTIES), dtype=torch.float64)
    for part in inner:
        difference = _predictions(h, z, part, PENALTIES) - z[part.score].double()
        error += difference.square().sum((1, 2)).cpu()
    penalty = PENALTIES[int(error.argmin())]
    return RidgeReadout(prediction=_predictions(h, z, split, (penalty,))[0], penalty=penalty)


def _predictions(
    h: Tensor, z: Tensor, split: Split, penalties: Sequence[float]
) -> Float[Tensor, "p n_score k"]:
    """Predictions of the rows to score under every penalty, from one eigendecomposition."""
    fit, scored, target = h[split.fit].double(), h[split.score].double(), z[split.fit].double()
    mean, mean_target = fit.mean(0), target.mean(0)
    x, x_new, y = fit - mean, scored - mean, target - mean_target
    wide = x.shape[0] <= x.shape[1]
    values, vectors = torch.linalg.eigh(x @ x.T if wide else x.T @ x)
    left = (x_new @ x.T if wide else x_new) @ vectors
    right = vectors.T @ (y if wide else x.T @ y)
    values = values.clamp(min=0)
    size = values.sum().clamp(min=torch.finfo(torch.float64).tiny)  # a constant h gives the mean
    weight = 1 / (values + size * values.new_tensor(penalties)[:, None])
    prediction: Tensor = left @ (weight[:, :, None] * right) + mean_target
    return prediction
