"""How nearly h is an affine, a linear or an orthogonal image of z, on held-out points.

R²_j = 1 - E|z_j - m(h)_j|² / Var z_j for the map m that fits z best on the training part:
affine (A h + b), linear (A h) or Procrustes (s R h, R orthogonal, no shift: with unit-norm
features and rows the theorem leaves no shift to forgive). Source: arXiv:2410.21869, table 2
and 3. h is (n, d_h), z is (n, d_z); for a head, rows W against cluster vectors v.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from identikit.core.estimate import Estimate, fixed
from identikit.core.linalg import (
    LeastSquares,
    Procrustes,
    centred,
    least_squares,
    principal_axes,
    procrustes,
)
from identikit.core.memory_mapped import blocks, rows_at_once
from identikit.core.randomness import random_rotation, stream
from identikit.probing.linear import least_squares_from_moments, procrustes_from_moments
from identikit.probing.moments import FoldMoments, Moments
from identikit.probing.regression import CompressedFeatures, Regression
from identikit.probing.result import OK, MapScores
from identikit.statistics import measures
from identikit.statistics.bootstrap import CHUNK, Bootstrap, Statistic
from identikit.statistics.measures import matched, standardised
from identikit.statistics.split import Split

TURNS, HIGH = 10, 0.8
"""Random rotations of the factors, and their correlation from which it is said."""
MOST_ISOMETRY = 64  # factors: the singular values of 1,000 resampled maps take seconds


def map_scores(
    features: CompressedFeatures,
    raw: Float[Tensor, "n d_h"],
    z: Float[Tensor, "n d_z"],
    *,
    names: tuple[str, ...],
    folds: list[Split],
    statistics: FoldMoments,
    groups: Int[Tensor, " n"],
    bootstrap: Bootstrap,
    fits: list[Regression] | None = None,
) -> MapScores:
    """Every map fitted on the training part of each fold and scored on what it held out.

    Args:
        features: Representation, or head rows.
        raw: The same as they came.
        z: Factors, or the cluster vector of each row.
        names: Names of the columns of z.
        folds: Splits whose test parts do not overlap.
        statistics: Of these splits, in this order, with z for targets.
        groups: Points of one group are copies or neighbours: they count as one independent
            point for the status.
        bootstrap: Resamples of the test rows of all folds, one after another.
        fits: The affine map to each column of z, where they are known; else least squares.
    """
    h, dim = features.h, features.dim
    test = torch.cat([fold.test for fold in folds])
    z_test = z[test]
    moments = [statistics.train(i) for i in range(len(folds))]
    least = [least_squares_from_moments(m) for m in moments]
    affine = [_together(fits)] if fits is not None else least

    def held_out(maps: Iterable[Map]) -> Tensor:
        return _joined(maps, h, folds)

    weak = held_out(affine)
    if features.basis is None:
        plain = held_out(least_squares_from_moments(m, intercept=False) for m in moments)
        turned = held_out(procrustes_from_moments(m) for m in moments)
    else:  # coordinates have lost the means, which these two must not
        pairs = [(raw[fold.train], z[fold.train]) for fold in folds]
        plain = _joined([least_squares(a, b, intercept=False) for a, b in pairs], raw, folds)
        turned = _joined([procrustes(a, b) for a, b in pairs], raw, folds)
    strong = held_out(_assigned(m, features) for m in moments)
    affine_r2, linear_r2, procrustes_r2 = bootstrap.scores(
        measures.r2(torch.cat([weak, plain, turned], dim=1), z_test), maps=3
    )
    mcc_weak, mcc_strong = bootstrap.scores(
        measures.correlation(torch.cat([weak, strong], dim=1), z_test), maps=2
    )
    last = affine[-1]
    rank = min(fit.rank for fit in least)
    n_train = min(len(torch.unique(groups[fold.train])) for fold in folds)
    isometry_error, map_condition_number = _isometry(
        h, test, z_test, bootstrap, varies=any(fit.rank for fit in least)
    )
    points = _about_points(n_train, dim, rank, ridge=any(fit.penalty for fit in fits or ()))
    matches = _about_matches(mcc_strong.mean, z)
    return MapScores(
        names=names,
        affine=affine_r2,
        linear=linear_r2,
        procrustes=procrustes_r2,
        mcc_weak=mcc_weak,
        mcc_strong=mcc_strong,
        isometry_error=isometry_error,
        map_condition_number=map_condition_number,
        rank=rank,
        condition_number=_finite(least[-1].condition_number),
        coefficient=tuple(tuple(row) for row in features.map_of(last.coefficient).tolist()),
        intercept=tuple(features.intercept_of(last.coefficient, last.intercept).tolist()),
        n_train=n_train,
        n_test=bootstrap.n_groups,
        status="; ".join([*filter(None, (points, matches))]) or OK,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """One column of h for each factor, with its sign; a constant for a factor without one."""

    mean: Float[Tensor, " d"]
    pick: Float[Tensor, "d k"]

    def predict(self, h: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """The columns picked, standardised so that folds that chose different ones can pool."""
        return (h.double() - self.mean) @ self.pick


Map = LeastSquares | Procrustes | Assigned


def _together(fits: list[Regression]) -> LeastSquares:
    """The maps to each column of z as one."""
    return LeastSquares(
        coefficient=torch.cat([fit.coefficient for fit in fits], dim=1),
        intercept=torch.cat([fit.intercept for fit in fits]),
        rank=fits[0].rank,
        condition_number=fits[0].condition_number,
    )


def _joined(maps: Iterable[Map], h: Tensor, folds: list[Split]) -> Tensor:
    """Predictions for what each fold holds out, one fold after another."""
    return torch.cat([_predicted(one, h, fold.test) for one, fold in zip(maps, folds, strict=True)])


def _predicted(one: Map, h: Tensor, rows: Tensor) -> Tensor:
    """Predictions for some rows, block by block."""
    return torch.cat([one.predict(block) for block in blocks(h, rows)])


def _assigned(moments: Moments, features: CompressedFeatures) -> Assigned:
    """The columns with the largest total |correlation| with their factors.

    Chosen on the training part like any other map: choosing on the points that score it
    would find correlation in noise.
    """
    size, hy = features.sizes(moments), features.widened(moments.hy)
    spread = (moments.yy * moments.n).sqrt()
    correlation = torch.where(spread > 0, hy / size[:, None] / spread, 0.0)  # one point has none
    columns, factors = linear_sum_assignment(correlation.abs().numpy(), maximize=True)
    pick = torch.zeros_like(correlation)
    pick[columns, factors] = correlation[columns, factors].sign() / size[columns]
    return Assigned(mean=moments.mean_h, pick=features.narrowed(pick))


def _singular_values(h: Tensor, test: Tensor, z: Tensor) -> Callable[[Tensor], Tensor]:
    """Singular values of the linear part A of the affine map from z to h, (b, d_z).

    From z to h, because noise in the regressors would shrink a map the other way. Under
    weights A moves by E[e z'] cov(z)^-1, e the residual: exact but for second-order terms,
    and no resample has to be solved. h enters by its coordinates on the image of A.
    """
    axes = principal_axes(z)
    dual = axes.coordinates(z) / axes.size.square() @ axes.axes.T
    each = zip(torch.split(dual, rows_at_once(h)), blocks(h, test), strict=True)
    coefficient = torch.stack([own.T @ block / len(z) for own, block in each]).sum(dim=0)
    image = torch.linalg.svd(coefficient, full_matrices=False).Vh.T
    slope = coefficient @ image
    inside = torch.cat([block @ image for block in blocks(h, test)])
    residual = centred(inside) - centred(z) @ slope
    missing = max(0, z.shape[1] - slope.shape[1])

    def statistic(weights: Tensor) -> Tensor:
        moved = slope.expand(len(weights), *slope.shape).clone()
        total = weights.sum(dim=1, keepdim=True)
        for rows in torch.split(torch.arange(len(z)), max(1, CHUNK // (len(weights) * len(slope)))):
            own = weights[:, None, rows] * dual[rows].T
            moved += own @ residual[rows] / total[:, :, None]
        return torch.nn.functional.pad(torch.linalg.svdvals(moved), (0, missing))

    return statistic


def _isometry(
    h: Tensor, test: Tensor, z: Tensor, bootstrap: Bootstrap, *, varies: bool
) -> tuple[Estimate | None, float | None]:
    """Relative spread of the singular values with its interval, and largest over smallest.

    The spread of estimated singular values is too large, and in resamples once more, which
    the interval takes off.
    """
    d = z.shape[1]
    if d > MOST_ISOMETRY or bootstrap.n_groups < 4 * d or not varies:
        return None, None
    values = _singular_values(h, test, z)

    def spread(weights: Tensor) -> Tensor:
        s = values(weights)
        mean = s.mean(dim=1, keepdim=True)
        error = (s - mean).abs().mean(dim=1, keepdim=True) / mean
        return torch.cat([error, s[:, :1] / s[:, -1:]], dim=1)

    error, condition = bootstrap.estimates(Statistic(spread, ((0.0, math.inf), (1.0, math.inf))))
    return error, _finite(condition.value)


def _finite(value: float) -> float | None:
    return value if value < 1e15 else None


def _about_matches(mcc: Estimate, z: Float[Tensor, "n d_z"]) -> str:
    """That a random rotation of the factors has as high a correlation, where it is high."""
    if z.shape[1] < 2:
        return ""
    s, generator, drawn = standardised(z), stream(0, "rotations of factors"), []
    covariance = s.T @ s / len(s)
    for _ in range(TURNS):
        q = random_rotation(len(covariance), generator)
        size = (q.T @ covariance @ q).diagonal().clamp(min=0).sqrt()
        r = (q.T @ covariance).abs() / size.clamp(min=1e-9)[:, None]
        drawn.append(matched(r).mean().item())
    rotated = sum(drawn) / TURNS
    if rotated < HIGH or mcc.low > rotated:
        return ""
    return f"a random rotation of these factors has MCC strong {fixed(rotated, 2)}"


def _about_points(n_train: int, dim: int, rank: int, *, ridge: bool) -> str:
    if ridge:
        return f"affine by ridge: least squares overfits {dim} dimensions with {n_train} samples"
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
    return ""
