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

from identikit.linalg import centred, least_squares, procrustes
from identikit.recovery import measures
from identikit.recovery.bootstrap import Bootstrap, Statistic
from identikit.recovery.result import OK, Estimate, MapScores
from identikit.recovery.split import Split

Predict = Callable[[Tensor], Tensor]


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
    singular = _singular_values(h_test, z_test)(torch.ones(1, len(test)).double())[0]
    return MapScores(
        names=names,
        affine=bootstrap.scores(measures.r2(weak, z_test)),
        linear=bootstrap.scores(measures.r2(_held_out(h, z, folds, _linear), z_test)),
        procrustes=bootstrap.scores(measures.r2(_held_out(h, z, folds, _orthogonal), z_test)),
        mcc_weak=bootstrap.scores(measures.correlation(weak, z_test)),
        mcc_strong=bootstrap.scores(measures.correlation(strong, z_test)),
        isometry_error=_isometry_error(h_test, z_test, bootstrap),
        map_condition_number=_finite((singular.max() / singular.min()).item()),
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
    if not bool(h.any()):
        return lambda new: new.new_zeros(len(new), z.shape[1], dtype=torch.float64)
    return procrustes(h, z).predict


def _assigned(h: Tensor, z: Tensor) -> Predict:
    """One column of h for each factor, with its sign, by the largest total |correlation|.

    Chosen on the training part like any other map: choosing on the points that score it
    would find correlation in noise. A factor without a column is predicted by a constant.
    """
    x, y = (centred(a) / _size(a) for a in (h, z))
    correlation = x.T @ y / len(h)
    columns, factors = linear_sum_assignment(correlation.abs().numpy(), maximize=True)
    pick = torch.zeros_like(correlation)
    pick[columns, factors] = correlation[columns, factors].sign()
    return lambda new: new.double() @ pick


def _size(a: Tensor) -> Tensor:
    size = centred(a).square().mean(dim=0).sqrt()
    return size.where(size > 1e-14 * a.double().abs().amax(dim=0), torch.inf)


def _singular_values(h: Tensor, z: Tensor) -> Statistic:
    """Singular values of the linear part of the affine map from z to h, (b, d_z).

    From z to h, because noise in the regressors would shrink a map the other way. h enters
    by its coordinates on the fitted map's image: resampling moves it out of there only in
    second order.
    """
    x, y = centred(z), centred(h)
    image = torch.linalg.svd(least_squares(z, h).coefficient, full_matrices=False).Vh
    y = y @ image.T
    k, r = x.shape[1], y.shape[1]
    both = torch.cat([x, y], dim=1)
    products = (x[:, :, None] * both[:, None, :]).flatten(1)

    def statistic(weights: Tensor) -> Tensor:
        total = weights.sum(dim=1, keepdim=True)
        mean = weights @ both / total
        moment = (weights @ products / total).view(-1, k, k + r)
        moment = moment - mean[:, :k, None] * mean[:, None, :]
        slope, _ = torch.linalg.solve_ex(moment[:, :, :k], moment[:, :, k:])
        values = torch.linalg.svdvals(slope.nan_to_num(0.0, 0.0, 0.0))
        return torch.nn.functional.pad(values, (0, k - values.shape[1]))

    return statistic


def _isometry_error(h: Tensor, z: Tensor, bootstrap: Bootstrap) -> Estimate | None:
    """Relative spread of the singular values, with the interval reflected at the value.

    The spread of estimated singular values is too large, the more so in resamples: the
    basic interval 2 t - q turns that bias around where percentiles would double it.
    """
    if bootstrap.n_groups < 4 * z.shape[1] or least_squares(z, h).rank == 0:
        return None
    if not bool((_size(h) < torch.inf).any()):
        return None
    values = _singular_values(h, z)

    def spread(weights: Tensor) -> Tensor:
        s = values(weights)
        mean = s.mean(dim=1, keepdim=True)
        return (s - mean).abs().mean(dim=1, keepdim=True) / mean

    percentile = bootstrap.estimates(spread)[0]
    value = percentile.value
    return Estimate(
        value=value,
        low=max(0.0, 2 * value - percentile.high),
        high=max(value, 2 * value - percentile.low),
    )


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
