"""How nearly h is an affine, a linear or an orthogonal image of z, on held-out points.

R²_j = 1 - E|z_j - m(h)_j|² / Var z_j for the map m that fits z best on the training part:
affine (A h + b), linear (A h) or Procrustes (s R h, R orthogonal, no shift: with unit-norm
features and rows the theorem leaves no shift to forgive). Source: arXiv:2410.21869, table 2
and 3. h is (n, d_h), z is (n, d_z); for a head, rows W against cluster vectors v.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from identikit.estimate import Estimate
from identikit.linalg import centred, least_squares, principal_axes, procrustes
from identikit.recovery import measures
from identikit.recovery.bootstrap import CHUNK, Bootstrap, Statistic
from identikit.recovery.result import OK, MapScores
from identikit.recovery.split import Split

Predict = Callable[[Tensor], Tensor]

MOST_ISOMETRY = 64  # factors: the singular values of 1,000 resampled maps take seconds


def map_scores(
    h: Float[Tensor, "n d_h"],
    z: Float[Tensor, "n d_z"],
    *,
    names: tuple[str, ...],
    folds: list[Split],
    groups: Int[Tensor, " n"],
    resamples: int,
    generator: torch.Generator,
) -> MapScores:
    """Every map fitted on the training part of each fold and scored on what it held out.

    Args:
        h: Representation, or head rows.
        z: Factors, or the cluster vector of each row.
        names: Names of the columns of z.
        folds: Splits whose test parts do not overlap.
        groups: Points of one group are copies or neighbours: they count as one independent
            point for the status, and are resampled together.
        resamples: Number of bootstrap resamples.
        generator: Source of the resamples.
    """
    test = torch.cat([fold.test for fold in folds])
    h_test, z_test = h[test], z[test]
    bootstrap = Bootstrap(groups[test], resamples=resamples, generator=generator)
    fits = [least_squares(h[fold.train], z[fold.train]) for fold in folds]
    last = fits[-1]
    weak, strong = (_held_out(h, z, folds, fit) for fit in (_affine, _assigned))
    n_train = min(len(torch.unique(groups[fold.train])) for fold in folds)
    isometry_error, map_condition_number = _isometry(h_test, z_test, bootstrap)
    return MapScores(
        names=names,
        affine=bootstrap.scores(measures.r2(weak, z_test)),
        linear=bootstrap.scores(measures.r2(_held_out(h, z, folds, _linear), z_test)),
        procrustes=bootstrap.scores(measures.r2(_held_out(h, z, folds, _orthogonal), z_test)),
        mcc_weak=bootstrap.scores(measures.correlation(weak, z_test)),
        mcc_strong=bootstrap.scores(measures.correlation(strong, z_test)),
        isometry_error=isometry_error,
        map_condition_number=map_condition_number,
        rank=min(fit.rank for fit in fits),
        condition_number=_finite(last.condition_number),
        coefficient=tuple(tuple(row) for row in last.coefficient.tolist()),
        intercept=tuple(last.intercept.tolist()),
        n_train=n_train,
        n_test=bootstrap.n_groups,
        status=_status(n_train, h.shape[1], min(fit.rank for fit in fits)),
    )


def _held_out(
    h: Tensor, z: Tensor, folds: list[Split], fit: Callable[[Tensor, Tensor], Predict]
) -> Tensor:
    """Predictions for the test parts, each by the map of its own fold."""
    return torch.cat([fit(h[fold.train], z[fold.train])(h[fold.test]) for fold in folds])


def _affine(h: Tensor, z: Tensor) -> Predict:
    return least_squares(h, z).predict


def _linear(h: Tensor, z: Tensor) -> Predict:
    return least_squares(h, z, intercept=False).predict


def _orthogonal(h: Tensor, z: Tensor) -> Predict:
    return procrustes(h, z).predict


def _assigned(h: Tensor, z: Tensor) -> Predict:
    """One column of h for each factor, with its sign, by the largest total |correlation|.

    Chosen on the training part like any other map: choosing on the points that score it
    would find correlation in noise. Columns are standardised, so that folds which chose
    different ones can be pooled. A factor without a column is predicted by a constant.
    """
    size = _size(h)
    correlation = (centred(h) / size).T @ (centred(z) / _size(z)) / len(h)
    columns, factors = linear_sum_assignment(correlation.abs().numpy(), maximize=True)
    pick = torch.zeros_like(correlation)
    pick[columns, factors] = correlation[columns, factors].sign() / size[columns]
    mean = h.double().mean(dim=0)
    return lambda new: (new.double() - mean) @ pick


def _size(a: Tensor) -> Tensor:
    size = centred(a).square().mean(dim=0).sqrt()
    return size.where(size > 1e-14 * a.double().abs().amax(dim=0), torch.inf)


def _singular_values(h: Tensor, z: Tensor) -> Statistic:
    """Singular values of the linear part A of the affine map from z to h, (b, d_z).

    From z to h, because noise in the regressors would shrink a map the other way. Under
    weights A moves by E[e z'] cov(z)^-1, e the residual: exact but for second-order terms,
    and no resample has to be solved. h enters by its coordinates on the image of A.
    """
    fit = least_squares(z, h)
    image = torch.linalg.svd(fit.coefficient, full_matrices=False).Vh.T
    slope = fit.coefficient @ image
    residual = (h.double() - fit.predict(z)) @ image
    axes = principal_axes(z)
    dual = axes.coordinates(z) / axes.size.square() @ axes.axes.T
    missing = max(0, z.shape[1] - slope.shape[1])

    def statistic(weights: Tensor) -> Tensor:
        moved = slope.expand(len(weights), *slope.shape).clone()
        total = weights.sum(dim=1, keepdim=True)
        for rows in torch.split(torch.arange(len(h)), max(1, CHUNK // slope.numel())):
            products = (dual[rows, :, None] * residual[rows, None, :]).flatten(1)
            moved += (weights[:, rows] @ products / total).view_as(moved)
        return torch.nn.functional.pad(torch.linalg.svdvals(moved), (0, missing))

    return statistic


def _isometry(h: Tensor, z: Tensor, bootstrap: Bootstrap) -> tuple[Estimate | None, float | None]:
    """Relative spread of the singular values with its interval, and largest over smallest.

    The spread of estimated singular values is too large, and in resamples once more: the
    basic interval 2 t - q turns that bias around where percentiles would double it.
    """
    d = z.shape[1]
    if d > MOST_ISOMETRY or bootstrap.n_groups < 4 * d or principal_axes(h).size.numel() == 0:
        return None, None
    values = _singular_values(h, z)

    def spread(weights: Tensor) -> Tensor:
        s = values(weights)
        mean = s.mean(dim=1, keepdim=True)
        error = (s - mean).abs().mean(dim=1, keepdim=True) / mean
        return torch.cat([error, s[:, :1] / s[:, -1:]], dim=1)

    percentile, condition = bootstrap.estimates(spread)
    value = percentile.value
    error = Estimate(
        value=value,
        low=max(0.0, 2 * value - percentile.high),
        high=max(value, 2 * value - percentile.low),
    )
    return error, _finite(condition.value)


def _finite(value: float) -> float | None:
    return value if value < 1e15 else None


def _status(n_train: int, dim: int, rank: int) -> str:
    if n_train <= dim:
        return (
            f"not determined: {n_train} independent points cannot fix a map from {dim} dimensions"
        )
    if n_train <= 2 * dim:
        return f"few points: {n_train} to fit a map from {dim} dimensions"
    if rank == 0:
        return "h does not vary"
    if rank < dim:
        return f"h varies in {rank} of its {dim} dimensions"
    return OK
