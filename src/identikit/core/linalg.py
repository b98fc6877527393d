"""Least squares that scale, shift and collapsed directions cannot upset.

min_{A, b} |B - (X A + b)|², solved by the singular values of X with centred, equal-norm
columns, in float64 whatever comes in. A direction counts when its singular value exceeds
eps max(n, d) times the largest, and the rounding error that the entries came with. No rank
of data is left to a library's default: that of `torch.linalg.lstsq`
assumes full rank on CUDA and returned wrong ranks on CPU (pytorch #180157, #187411), and
the pseudo-inverse of a float32 Gram matrix squares the condition number.
X is (n, d), B is (n, k); rows are samples.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.memory_mapped import blocks, not_finite


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastSquares:
    """The solution of least norm (in equal-norm columns) and how well posed it was."""

    coefficient: Float[Tensor, "d k"]
    intercept: Float[Tensor, " k"]
    """Zero where none was asked for."""
    rank: int
    """Directions of X above the cut-off."""
    condition_number: float
    """Largest over smallest singular value of the directions kept; infinite for rank 0."""

    def predict(self, a: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """X A + b in float64."""
        return a.double() @ self.coefficient + self.intercept


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalAxes:
    """Orthonormal directions in which X varies, from the most to the least."""

    mean: Float[Tensor, " d"]
    axes: Float[Tensor, "d rank"]
    size: Float[Tensor, " rank"]
    """Standard deviation of X along each axis."""

    def coordinates(self, a: Float[Tensor, "n d"]) -> Float[Tensor, "n rank"]:
        """(X - mean) axes, in float64."""
        return (a.double() - self.mean) @ self.axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Procrustes:
    """B = scale X R: the nearest map that only turns and stretches."""

    rotation: Float[Tensor, "d k"]
    """Orthonormal columns for d >= k, orthonormal rows otherwise."""
    scale: float

    @classmethod
    def of(cls, products: Float[Tensor, "d k"], *, norm: float) -> "Procrustes":
        """R = U V' and scale = sum(S) / |X|² for X'B = U S V', 0 where X is.

        Args:
            products: X'B.
            norm: |X|².
        """
        u, s, vt = torch.linalg.svd(products, full_matrices=False)
        return cls(rotation=u @ vt, scale=s.sum().item() / norm if norm else 0.0)

    def predict(self, a: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Scale X R in float64."""
        return self.scale * (a.double() @ self.rotation)


def centred(a: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Columns less their means, in float64; a constant column becomes exactly zero."""
    once = a.double() - a.double().mean(dim=0)
    return once - once.mean(dim=0)  # the first mean is off by rounding, the second mends it


def relative_rounding(a: Tensor) -> float:
    """Spacing of numbers of the dtype of `a`, over their size; that of float64 for integers."""
    return torch.finfo(a.dtype if a.is_floating_point() else torch.float64).eps


def rounding(a: Tensor) -> Float[Tensor, " d"]:
    """Root mean square error per column of having been rounded to the dtype of `a`."""
    squares = a.new_zeros(a.shape[1], dtype=torch.float64)
    for block in blocks(a):
        squares += block.square().sum(dim=0)
    return relative_rounding(a) * (squares / max(1, len(a))).sqrt()


def column_means(a: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Mean of each column, in float64."""
    return torch.stack([block.sum(dim=0) for block in blocks(a)]).sum(dim=0) / len(a)


def spread(a: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Standard deviation of each column, in float64."""
    mean = column_means(a)
    squares = torch.stack([(block - mean).square().sum(dim=0) for block in blocks(a)])
    return (squares.sum(dim=0) / len(a)).sqrt()


def above_cut_off(
    s: Float[Tensor, " r"], *, shape: tuple[int, int], noise: float, squared: bool = False
) -> Bool[Tensor, " r"]:
    """Which singular values of an (n, d) matrix count as directions in which it varies.

    Args:
        s: Singular values, or with `squared` the eigenvalues of the Gram matrix: there the
            same relative cut-off, of what rounding the squares leaves, is a higher one.
        shape: Of the matrix.
        noise: Root mean square of the error that its entries came with.
        squared: Whether s are eigenvalues of the Gram matrix.
    """
    n, d = shape
    floor = noise * (n**0.5 + d**0.5)
    top = s.max().item() if s.numel() else 0.0
    relative = torch.finfo(torch.float64).eps * max(n, d) * top
    above: Tensor = s > max(relative, floor**2 if squared else floor)
    return above


def require_rows(a: Tensor, b: Tensor) -> None:
    """Two matrices with the same number of rows, finite, or an error that says why not.

    Raises:
        InputError: no rows, different numbers of rows, NaN or infinity.
    """
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b) or len(a) == 0:
        raise InputError(
            "both arguments must be matrices with the same number of rows, at least one; "
            f"got shapes {tuple(a.shape)} and {tuple(b.shape)}."
        )
    for which, matrix in (("first", a), ("second", b)):
        bad, _ = not_finite(matrix)
        if bad:
            raise InputError(
                f"the {which} argument has {bad} values that are NaN or infinite, of "
                f"{matrix.numel()}. Drop those rows."
            )


def least_squares(
    a: Float[Tensor, "n d"],
    b: Float[Tensor, "n k"],
    *,
    intercept: bool = True,
) -> LeastSquares:
    """Regress the columns of b on those of a.

    Args:
        a: Regressors (n, d).
        b: Targets (n, k).
        intercept: Whether a constant is fitted too.

    Raises:
        InputError: no rows, different numbers of rows, NaN or infinity.
    """
    require_rows(a, b)
    n, d = a.shape
    x, y = (centred(a), centred(b)) if intercept else (a.double(), b.double())
    size = x.square().mean(dim=0).sqrt()
    noise = rounding(a)
    alive = size > 4 * noise  # below this a column is its own rounding error
    unit = torch.where(alive, 1 / size.where(alive, 1.0), 0.0)
    u, s, vt = torch.linalg.svd(x * unit, full_matrices=False)
    worst = (noise * unit).max().item() if d else 0.0
    rank = int(above_cut_off(s, shape=(n, d), noise=worst).sum())
    coefficient = unit[:, None] * (vt[:rank].T @ ((u[:, :rank].T @ y) / s[:rank, None]))
    constant = b.double().mean(dim=0) - a.double().mean(dim=0) @ coefficient
    return LeastSquares(
        coefficient=coefficient,
        intercept=constant if intercept else torch.zeros_like(constant),
        rank=rank,
        condition_number=(s[0] / s[rank - 1]).item() if rank else float("inf"),
    )


def principal_axes(a: Float[Tensor, "n d"]) -> PrincipalAxes:
    """The directions of the centred columns that stand above rounding.

    Raises:
        InputError: no rows, NaN or infinity.
    """
    require_rows(a, a)
    n, d = a.shape
    _, s, vt = torch.linalg.svd(centred(a), full_matrices=False)
    worst = rounding(a).max().item() if d else 0.0
    kept = above_cut_off(s, shape=(n, d), noise=worst)
    return PrincipalAxes(mean=a.double().mean(dim=0), axes=vt[kept].T, size=s[kept] / n**0.5)


def procrustes(a: Float[Tensor, "n d"], b: Float[Tensor, "n k"]) -> Procrustes:
    """The scaled orthogonal map that takes a nearest to b, without a shift.

    For d != k the narrower of the two is taken as filled up with zero columns, which keeps
    the closed form.

    Raises:
        InputError: no rows, different numbers of rows, NaN or infinity.
    """
    require_rows(a, b)
    x = a.double()
    return Procrustes.of(x.T @ b.double(), norm=x.square().sum().item())


def r2_score(prediction: Float[Tensor, "n k"], target: Float[Tensor, "n k"]) -> Float[Tensor, " k"]:
    """R² = 1 - sum (t - p)² / sum (t - mean t)² per column; at most 1, 0 for the mean.

    Raises:
        InputError: shapes that differ, or a target column that does not vary.
    """
    if prediction.shape != target.shape:
        raise InputError(
            "prediction and target must have the same shape; "
            f"got {tuple(prediction.shape)} and {tuple(target.shape)}."
        )
    require_rows(prediction, target)
    total = centred(target).square().sum(dim=0)
    constant = total <= len(target) * (4 * rounding(target)).square()
    if bool(constant.any()):
        raise InputError(
            f"target column {int(constant.nonzero()[0])} does not vary over the "
            f"{len(target)} rows, so R² has no meaning for it. Leave it out."
        )
    return 1 - (target.double() - prediction.double()).square().sum(dim=0) / total


def sphere_centre(rows: Float[Tensor, "k m"]) -> Float[Tensor, " m"]:
    """The c for which the rows lie nearest a sphere around it: 2 c . w + const = |w|²."""
    with_one = torch.cat([2 * rows, torch.ones_like(rows[:, :1])], dim=1)
    squares = rows.square().sum(dim=1, keepdim=True)
    centre: Tensor = torch.linalg.lstsq(with_one, squares, driver="gelsd").solution[:-1, 0]
    return centre


def spherical_frame(features: Float[Tensor, "n m"], *, least: float = 1e-3) -> Float[Tensor, "m m"]:
    """The A for which the rows of features A lie nearest the unit sphere: f' A A' f = 1.

    Features that lie near no ellipsoid can ask for an A A' with eigenvalues of 0 or less; they
    are held at `least` times the largest.
    """
    n, m = features.shape
    products = (features[:, :, None] * features[:, None, :]).reshape(n, m * m)
    ones = torch.ones(n, 1, dtype=features.dtype, device=features.device)
    form = torch.linalg.lstsq(products, ones, driver="gelsd").solution.reshape(m, m)
    values, vectors = torch.linalg.eigh((form + form.T) / 2)
    frame: Tensor = vectors * values.clamp(min=least * float(values.abs().max())).sqrt()
    return frame


def ellipsoid_frame(rows: Float[Tensor, "k m"], *, least: float = 1e-3) -> Float[Tensor, "m m"]:
    """The A for which rows A lie nearest one sphere around whatever centre.

    (w - c)' A A' (w - c) is constant. Fewer rows than such a form has coefficients leave a family
    of them; then it is the one nearest the whitening of the rows.

    Args:
        rows: More than their dimensions, or they are in a plane.
        least: As for `spherical_frame`.
    """
    k, m = rows.shape
    centre = rows.mean(dim=0)
    whiten = whitening((rows - centre).T @ (rows - centre) / k)
    white = (rows - centre) @ whiten
    products = (white[:, :, None] * white[:, None, :]).reshape(k, m * m)
    missing = 1 - white.square().sum(dim=1, keepdim=True) / m
    terms = torch.cat([products, white], dim=1)
    found = torch.linalg.lstsq(terms, missing, driver="gelsd").solution[: m * m].reshape(m, m)
    form = torch.eye(m, dtype=rows.dtype, device=rows.device) / m + (found + found.T) / 2
    values, vectors = torch.linalg.eigh(form)
    shape: Tensor = vectors * values.clamp(min=least * float(values.abs().max())).sqrt()
    return whiten @ shape


def whitening(moments: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    """The W with W' M W = 1 for second moments M; directions of next to none are held back."""
    values, vectors = torch.linalg.eigh(moments)
    whiten: Tensor = vectors / values.clamp(min=1e-10 * float(values[-1])).sqrt()
    return whiten
