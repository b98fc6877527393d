"""Linear maps and their errors from statistics alone: the data are not touched again.

least squares  A = C_hh^+ C_hy                      eigenvalues of the equal-norm Gram matrix
ridge          A = (C_hh + alpha)^-1 C_hy           one decomposition for all penalties
Procrustes     s U V', U S V' = sum h y'            s = tr S / sum |h|²
axes           eigenvectors of C_hh                 standard deviations along them
error          E(A) = C_yy - 2 A'C_hy + A'C_hh A + n |mean_y - A'mean_h - b|²

C are centred products (`moments`), or products about zero where no constant is fitted; C_hh^+
drops the directions below the cut-off of `linalg`, which are the dead, duplicated and
collapsed ones. Cross-validation fits on merged parts and takes E of the part left out, which
is exact. h is (n, d), y (n, k); A is (d, k), b (k).
"""

from collections.abc import Iterable
from dataclasses import replace

import torch
from jaxtyping import Float
from scipy.linalg import eigvalsh_tridiagonal, lapack
from torch import Tensor

from identikit.core.linalg import LeastSquares, PrincipalAxes, Procrustes, above_cut_off
from identikit.probing.moments import Moments

SMALLEST, LARGEST = 1e-3, 100.0
"""Sizes of columns beside their median, beyond which they are brought: up to the smallest, and
from above the largest down to the median, since several that stay loud drown the rest."""
COLUMNS = 512
"""Of maps with different penalties that are scored at a time."""
WELL_POSED = 1e-6
"""Share of its variance that a column must have beside the others for Cholesky to do."""


def least_squares_from_moments(moments: Moments, *, intercept: bool = True) -> LeastSquares:
    """The affine map, or the linear one without a constant, of least squared error."""
    gram, hy, unit, worst = equal_norm(moments, intercept=intercept)
    values, vectors = torch.linalg.eigh(gram)
    kept = above_cut_off(values, shape=(moments.n, len(gram)), noise=worst, squared=True)
    values, vectors = values[kept], vectors[:, kept]
    coefficient = unit * (vectors @ (vectors.T @ hy / values[:, None]))
    return LeastSquares(
        coefficient=coefficient,
        intercept=_intercept(moments, coefficient) if intercept else torch.zeros_like(hy[0]),
        rank=len(values),
        condition_number=(values[-1] / values[0]).sqrt().item() if len(values) else float("inf"),
    )


def _plain_map(moments: Moments) -> tuple[Tensor, Tensor]:
    """The same affine map, by Cholesky where all directions are far above the cut-off."""
    gram, hy, unit, _ = equal_norm(moments, intercept=True)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if int(failed) or factor.diagonal().square().min() < WELL_POSED * moments.n:
        fit = least_squares_from_moments(moments)
        return fit.coefficient, fit.intercept
    coefficient = unit * torch.cholesky_solve(hy, factor)
    return coefficient, _intercept(moments, coefficient)


def equal_norm(moments: Moments, *, intercept: bool) -> tuple[Tensor, Tensor, Tensor, float]:
    """Products of columns at norm sqrt(n), their units as a column, and the entries' noise."""
    hh, hy = (moments.hh, moments.hy) if intercept else _about_zero(moments)
    size = (hh.diagonal().clamp(min=0) / max(moments.n, 1)).sqrt()
    noise = moments.noise()
    alive = size > 4 * noise  # below this a column is its own rounding error
    if moments.turned and len(size):  # one size for all, or least norm were another one
        size = size.square().sum().sqrt().expand_as(size)
    unit = torch.where(alive, 1 / size.where(alive, 1.0), 0.0)
    worst = (noise * unit).max().item() if len(unit) else 0.0
    gram = unit[:, None] * hh
    gram *= unit
    return gram, unit[:, None] * hy, unit[:, None], worst


def units(moments: Moments) -> Float[Tensor, " d"]:
    """What each column is multiplied by before anything that asks for its size.

    One column of huge numbers, such as a time stamp, would leave all others below the cut-off
    and the penalty; a tiny one beside the others would drown itself. Columns within `SMALLEST`
    to `LARGEST` times the median size keep their own, and so nearly all features do: where
    sizes say how much there is to see, as in pixels, equal ones would lift noise.
    """
    size = (moments.hh.diagonal().clamp(min=0) / max(moments.n, 1)).sqrt()
    return torch.ones_like(size) if moments.turned else units_of(size, noise=moments.noise())


def units_of(size: Float[Tensor, " d"], *, noise: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
    """The same for columns of these standard deviations, some of which may be but noise."""
    alive = size > 4 * noise
    if not bool(alive.any()):
        return torch.ones_like(size)
    typical = size[alive].median()
    wanted = size.clamp(min=SMALLEST * typical).where(size <= LARGEST * typical, typical)
    return torch.where(alive, wanted / size.where(alive, 1.0), 1.0)


def ridge(
    moments: Moments, *, penalties: Float[Tensor, " penalties"]
) -> tuple[Float[Tensor, "penalties d k"], Float[Tensor, "penalties k"]]:
    """Minimise |Y - (H A + b)|² + penalty |A|² for every penalty above 0; the constant is free.

    Returns:
        A and b for each penalty.
    """
    coefficient = _tridiagonal_ridge(moments, penalties)
    if coefficient is None:
        values, vectors = _directions(moments)
        inner = _shrunk(values, penalties) * (vectors.T @ moments.hy)
        coefficient = _maps(vectors @ _columns(inner), len(penalties))
    return coefficient, _intercept(moments, coefficient)


def _tridiagonal_ridge(moments: Moments, penalties: Tensor) -> Tensor | None:
    """The maps of ridge by C_hh = Q T Q', T tridiagonal: a third of the work of eigenvectors.

    None where it does not do: for so many maps that turning them costs more, where directions
    must be dropped for noise, and on devices other than a processor. Directions that n <= d rows
    do not show have no product with the targets.
    """
    hh, hy = moments.hh, moments.hy
    d, k = hy.shape
    if hh.device.type != "cpu" or not 2 < d > len(penalties) * k > 0:
        return None
    reduced, diagonal, beside, tau, _ = lapack.dsytrd(hh.numpy().T, lower=1, lwork=64 * d)
    values = torch.from_numpy(eigvalsh_tridiagonal(diagonal, beside))
    noise = moments.noise().max().item()
    kept = above_cut_off(values, shape=(moments.n, d), noise=noise, squared=True)
    if int(kept.sum()) < min(moments.n - 1, d):
        return None
    reflectors, scales = torch.from_numpy(reduced)[1:, :-1], torch.from_numpy(tau)
    turned = hy.clone()  # the first coordinate stays as it is
    turned[1:] = torch.ormqr(reflectors, scales, hy[1:], transpose=True)
    inner = torch.stack(
        [
            torch.from_numpy(lapack.dptsv(diagonal + penalty, beside, turned.numpy())[2])
            for penalty in penalties.tolist()
        ]
    )
    columns = _columns(inner).clone()
    columns[1:] = torch.ormqr(reflectors, scales, columns[1:])
    return _maps(columns, len(penalties))


def ridge_each(
    moments: Moments, *, penalties: Float[Tensor, " k"]
) -> tuple[Float[Tensor, "d k"], Float[Tensor, " k"]]:
    """The same where each target has a penalty of its own."""
    values, vectors = _directions(moments)
    inner = _shrunk(values, penalties)[:, :, 0].T * (vectors.T @ moments.hy)
    coefficient = vectors @ inner
    return coefficient, _intercept(moments, coefficient)


def principal_axes(moments: Moments) -> PrincipalAxes:
    """The directions in which h varies, above the cut-off, from the most to the least."""
    values, vectors = _directions(moments)
    return PrincipalAxes(
        mean=moments.mean_h, axes=vectors.flip(1), size=(values.flip(0) / moments.n).sqrt()
    )


def _directions(moments: Moments) -> tuple[Tensor, Tensor]:
    """Eigenvalues of the centred products above the cut-off, ascending, and eigenvectors."""
    values, vectors = torch.linalg.eigh(moments.hh)
    noise = moments.noise().max().item() if len(values) else 0.0
    kept = above_cut_off(values, shape=(moments.n, len(values)), noise=noise, squared=True)
    return values[kept], vectors[:, kept]


def _shrunk(values: Tensor, penalties: Tensor) -> Tensor:
    """What ridge makes of the products along each direction, (penalties, directions, 1)."""
    return 1 / (values + penalties.to(values)[:, None])[:, :, None]


def procrustes_from_moments(moments: Moments) -> Procrustes:
    """The scaled rotation, without a shift, of least squared error."""
    hh, hy = _about_zero(moments)
    return Procrustes.of(hy, norm=hh.trace().item())


def squared_error(
    moments: Moments, coefficient: Float[Tensor, "*maps d k"], intercept: Float[Tensor, "*maps k"]
) -> Float[Tensor, "*maps k"]:
    """Summed squared error of maps on the rows that the statistics are of."""
    flat = coefficient.reshape(-1, *coefficient.shape[-2:])
    image = _maps(moments.hh @ _columns(flat), len(flat))
    spread = moments.yy + (flat * (image - 2 * moments.hy)).sum(dim=1)
    off = moments.mean_y - moments.mean_h @ coefficient - intercept
    return spread.clamp(min=0).view_as(intercept) + moments.n * off.square()


def r2(
    moments: Moments, coefficient: Float[Tensor, "*maps d k"], intercept: Float[Tensor, "*maps k"]
) -> Float[Tensor, "*maps k"]:
    """R² = 1 - squared error / sum (y - mean y)², of the rows that the statistics are of."""
    return 1 - squared_error(moments, coefficient, intercept) / moments.yy


def cross_validated(
    pairs: Iterable[tuple[Moments, Moments]], *, penalties: Float[Tensor, " penalties"]
) -> tuple[Float[Tensor, " k"], Float[Tensor, "penalties k"]]:
    """Squared error on the rows left out, summed over folds: of least squares and of ridge.

    Args:
        pairs: Statistics of each fold's training and test rows.
        penalties: On |A|², the same number in every fold.

    Returns:
        Errors of least squares, infinite where a fold has not more rows than columns, and of
        ridge with each penalty.
    """
    plain, ridged = [], []
    for train, test in pairs:
        ridged.append(_ridge_errors(train, test, penalties))
        if train.n > len(train.hh) + 1:
            plain.append(squared_error(test, *_plain_map(train)))
        else:
            plain.append(torch.full_like(train.yy, torch.inf))
    return torch.stack(plain).sum(dim=0), torch.stack(ridged).sum(dim=0)


def _ridge_errors(train: Moments, test: Moments, penalties: Tensor) -> Tensor:
    """Squared error of ridge on the test rows, (penalties, k)."""
    k = max(1, train.hy.shape[1])
    if len(penalties) * k <= 2 * len(train.hh):
        return squared_error(test, *ridge(train, penalties=penalties))
    values, vectors = _directions(train)  # with so many maps it costs less to turn the test rows
    if not len(values):
        return squared_error(test, *ridge(train, penalties=penalties))
    train, test = _along(train, vectors), _along(test, vectors)
    errors = []
    for some in torch.split(penalties, max(1, COLUMNS // k)):
        coefficient = _shrunk(values, some) * train.hy
        errors.append(squared_error(test, coefficient, _intercept(train, coefficient)))
    return torch.cat(errors)


def _along(moments: Moments, axes: Tensor) -> Moments:
    """Statistics of the coordinates of h along some axes."""
    return replace(
        moments,
        mean_h=moments.mean_h @ axes,
        hh=axes.T @ (moments.hh @ axes),
        hy=axes.T @ moments.hy,
    )


def _columns(maps: Tensor) -> Tensor:
    """(maps, d, k) as (d, maps k): one product with a matrix instead of one per map."""
    return maps.movedim(0, 1).flatten(1)


def _maps(columns: Tensor, maps: int) -> Tensor:
    """The way back."""
    return columns.view(len(columns), maps, -1).movedim(1, 0)


def _about_zero(moments: Moments) -> tuple[Tensor, Tensor]:
    mean = moments.mean_h[:, None] * moments.n
    return moments.hh + mean * moments.mean_h, moments.hy + mean * moments.mean_y


def _intercept(moments: Moments, coefficient: Tensor) -> Tensor:
    constant: Tensor = moments.mean_y - moments.mean_h @ coefficient
    return constant
