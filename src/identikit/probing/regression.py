"""Regression for linear probes: least squares, unless it overfits; then ridge.

Least squares is the paper's choice and needs samples that outnumber dimensions, and
features of which none is at rest in training and moves in the held-out part. Cross-validation
inside the training part, by whole groups, says where that fails: ridge,

    min_{A, b} |Y - (H A + b)|² + penalty |Hc|² |A|²,  Hc = H less its mean,

replaces it for a factor where its squared error is less than 0.95 of that of least squares.
The penalty, in units of |Hc|² of the training part, is the one with the least such error.
Columns of other orders of magnitude than the rest are brought nearer first (`linear.units`) where
that lessens the error as much.
Products of columns square how unequal directions are: where one, of any slant, is beyond what
they can hold beside the rest, features are turned by the singular vectors of the rows themselves
(`CompressedFeatures`), and directions are brought nearer as columns are.
One pass over the rows gathers the statistics (`moments`) that all of this needs, one more
predicts. h is (n, d), y (n, k).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.linalg import (
    LeastSquares,
    above_cut_off,
    centred,
    column_means,
    relative_rounding,
    require_rows,
    rounding,
    spread,
)
from identikit.core.memory_mapped import blocks, scratch
from identikit.core.randomness import stream
from identikit.probing import linear
from identikit.probing.moments import FoldMoments, Moments
from identikit.statistics.split import Split

PENALTIES = tuple(10 ** (exponent / 2) for exponent in range(-16, 3))
GAIN = 0.95
TOO_UNEQUAL = 1e5
"""Ratio of standard deviations whose square, ten digits, products in float64 hold too ill."""
SKETCH, SKETCHED = 64, 1024
"""Random combinations of columns, and rows, that are looked at for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """The map to one factor's targets."""

    coefficient: Float[Tensor, "d k"]
    intercept: Float[Tensor, " k"]
    penalty: float
    """Of ridge, on |A|²; 0 for least squares."""
    rank: int
    """Directions of the training features above the cut-off."""
    condition_number: float
    """Of the training features with equal-norm columns, over these directions."""
    error: float
    """Squared, of cross-validation inside the training part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedFeatures:
    """Features in at most as many columns as rows, with the same inner products.

    Inner products are others where directions were brought nearer, as columns are.
    """

    h: Float[Tensor, "n r"]
    eps: float
    """Relative rounding of the features as they came."""
    basis: Float[Tensor, "d r"] | None = None
    """What the scaled columns, less their means, are multiplied by to give h: orthonormal
    directions, each times its scale; None where nothing had to be done."""
    scale: Float[Tensor, " r"] | None = None
    """Of directions that were brought nearer; None for 1."""
    unit: Float[Tensor, " d"] | None = None
    """What the columns that came were multiplied by before; None for 1."""
    mean: Float[Tensor, " d"] | None = None
    """What was taken from the columns that came; None for nothing."""

    @classmethod
    def of(
        cls,
        h: Float[Tensor, "n d"],
        *,
        fitted: Int[Tensor, " n_fitted"] | None = None,
        scaled: bool = True,
    ) -> "CompressedFeatures":
        """The features as they are, or their coordinates in the span of the rows fitted on.

        Linear maps of least norm lie in that span, so no linear probe changes; statistics of
        16,384 pixels of 1,440 images would be a hundred times as many numbers.

        Args:
            h: Features.
            fitted: Rows whose span is enough; all of them if not given.
            scaled: Whether means are taken off and columns of other orders of magnitude brought
                nearer (`linear.units`).

        Raises:
            InputError: no rows, NaN or infinity.
        """
        n, d = len(h) if fitted is None else len(fitted), h.shape[1]
        if scaled and _too_unequal(h, fitted):
            return cls._turned(h, fitted)
        if n >= d:
            return cls(h=h, eps=relative_rounding(h))
        require_rows(h, h)
        own = (h if fitted is None else h[fitted]).double()
        noise, rows = rounding(h), own
        mean, unit = None, None
        if scaled:
            mean = own.mean(dim=0)
            rows = own - mean
            unit = linear.units_of(rows.square().mean(dim=0).sqrt(), noise=noise)
            rows, noise = rows * unit, noise * unit
        values, vectors = torch.linalg.eigh(rows @ rows.T)
        kept = above_cut_off(values, shape=(n, d), noise=noise.max().item(), squared=True)
        if not bool(kept.any()):  # nothing varies
            return cls(h=h.new_zeros(len(h), 1).double(), eps=0.0, basis=rows.new_zeros(d, 1))
        size = values[kept].sqrt()
        basis = rows.T @ (vectors[:, kept] / size)
        if fitted is None:
            coordinates = vectors[:, kept] * size
        else:
            every = h.double() if mean is None or unit is None else (h.double() - mean) * unit
            coordinates = every @ basis
        # what rounding left of columns of a large mean is relative to that, not to what varies
        eps = max(8 * relative_rounding(h), noise.max().item() * n**0.5 / size.max().item())
        return cls(h=coordinates, eps=eps, basis=basis, unit=unit, mean=mean)

    @classmethod
    def _turned(cls, h: Tensor, fitted: Tensor | None) -> "CompressedFeatures":
        """Along singular vectors of the rows at equal-norm columns, these brought nearer."""
        mean, size, noise = _column_sizes(h, fitted)
        unit = torch.where(size > 4 * noise, 1 / size, 0.0)
        triangle = mean.new_zeros(0, len(mean))
        for block in blocks(h, fitted):  # as tall as wide, with the same singular values
            rows = torch.cat([triangle, (block - mean) * unit])
            triangle = torch.linalg.qr(rows, mode="r").R if len(rows) > len(mean) else rows
        _, s, vt = torch.linalg.svd(triangle, full_matrices=False)
        n, worst = len(h) if fitted is None else len(fitted), (noise * unit).max().item()
        kept = above_cut_off(s, shape=(n, len(mean)), noise=worst)
        size = s[kept] / n**0.5
        typical = size.median()  # unlike columns, large directions may be all that there is to see
        scale = size.clamp(linear.SMALLEST * typical, linear.LARGEST * typical) / size
        basis, start = vt[kept].T * scale, 0
        turned = scratch((len(h), len(scale)), torch.float64)
        for block in blocks(h):
            turned[start : start + len(block)] = ((block - mean) * unit) @ basis
            start += len(block)
        eps = worst / size.min().item()
        return cls(h=turned, eps=eps, basis=basis, scale=scale, unit=unit, mean=mean)

    def statistics(self, y: Float[Tensor, "n k"], *, splits: list[Split]) -> FoldMoments:
        """One pass over the rows."""
        turned = self.basis is not None
        return FoldMoments.of(self.h, y, splits=splits, eps=self.eps, turned=turned)

    @property
    def dim(self) -> int:
        """Columns of the features as they came."""
        return self.h.shape[1] if self.basis is None else len(self.basis)

    @property
    def dtype(self) -> torch.dtype:
        """That of iterative linear probes: float64 where the features came in it, else float32."""
        return torch.float64 if self.eps < 1e-12 else torch.float32

    def widened(self, a: Float[Tensor, "r k"]) -> Float[Tensor, "d k"]:
        """Products of these columns with targets, for the scaled columns that came."""
        return a if self.basis is None else self._dual @ a

    def map_of(self, a: Float[Tensor, "r k"]) -> Float[Tensor, "d k"]:
        """A map from these columns, for the columns that came."""
        wide = a if self.basis is None else self.basis @ a
        return wide if self.unit is None else self.unit[:, None] * wide

    def intercept_of(self, a: Float[Tensor, "r k"], b: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
        """The constant of that map."""
        return b if self.mean is None else b - self.mean @ self.map_of(a)

    def narrowed(self, a: Float[Tensor, "d k"]) -> Float[Tensor, "r k"]:
        """A map from the scaled columns that came, for these."""
        return a if self.basis is None else self._dual.T @ a

    @property
    def _dual(self) -> Float[Tensor, "d r"]:
        """What takes h back to the scaled columns."""
        assert self.basis is not None
        return self.basis if self.scale is None else self.basis / self.scale.square()

    def sizes(self, moments: Moments) -> Float[Tensor, " d"]:
        """Standard deviation of each scaled column that came; infinite where it is but rounding."""
        if self.basis is None:
            size = (moments.hh.diagonal() / moments.n).sqrt()
            return size.where(size > 4 * moments.noise(), torch.inf)
        size = ((self._dual @ moments.hh) * self._dual).sum(1).clamp(min=0).sqrt()
        return torch.where(size > 1e-7 * size.max(), size / moments.n**0.5, torch.inf)


def doubts_of(fit: Regression | LeastSquares, *, n: int) -> str:
    """What to say of a map of n rows from products alone, where rows cannot be turned."""
    most = min(n - 1, len(fit.coefficient))
    if fit.rank == most and fit.condition_number <= TOO_UNEQUAL:
        return ""
    return (
        f"ill-conditioned: sums of products hold {fit.rank} of {most} directions of the features; "
        "the others are constant, combinations of these, or hidden by louder ones"
    )


def _column_sizes(h: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, standard deviation and rounding of each column, over all rows or some."""
    own = h if rows is None else h[rows]
    return column_means(own), spread(own), rounding(own)


def _too_unequal(h: Tensor, fitted: Tensor | None) -> bool:
    """Whether some rows in random combinations of equal-norm columns show such directions."""
    rows = torch.arange(len(h)) if fitted is None else fitted
    rows = rows[:: max(1, len(rows) // SKETCHED)]
    mean, size, noise = _column_sizes(h, rows)
    unit = torch.where(size > 4 * noise, 1 / size, 0.0)
    d = h.shape[1]
    axes = torch.randn(d, min(d, SKETCH), generator=stream(0, "sketch"), dtype=torch.float64)
    seen = torch.cat([((block - mean) * unit) @ axes for block in blocks(h, rows)])
    s = torch.linalg.svdvals(centred(seen))  # the first mean is off by rounding
    worst = (noise * unit).max().item() * d**0.5 if d else 0.0
    s = s[above_cut_off(s, shape=(len(rows), d), noise=worst)]
    return len(s) > 0 and bool(s[0] > TOO_UNEQUAL * s[-1])


def regress(
    h: Float[Tensor, "n d"],
    targets: list[Float[Tensor, "n _"]],
    *,
    split: Split,
    folds: list[Split],
) -> list[Float[Tensor, "n_test _"]]:
    """Predictions of each factor's columns for the rows that the split holds out.

    Args:
        h: Features.
        targets: Columns of each factor for the same rows.
        split: Rows to fit on, rows to predict.
        folds: Splits of positions within `split.train`, on which ridge and its penalty are
            chosen.
    """
    features = CompressedFeatures.of(h, fitted=split.train)
    y = torch.cat(targets, dim=1)
    statistics = features.statistics(y, splits=[split, *within(split, folds)])
    fits = fit_each(statistics, widths=[target.shape[1] for target in targets])
    return predict_each(fits, features.h, split=split)


def within(split: Split, folds: list[Split]) -> list[Split]:
    """Folds of positions within the training rows as folds of rows."""
    rows = split.train
    return [Split(train=rows[fold.train], test=rows[fold.test]) for fold in folds]


def fit_each(statistics: FoldMoments, *, widths: list[int]) -> list[Regression]:
    """Choose within the training part, then fit to all of it.

    Args:
        statistics: Of the split itself, then of the folds inside its training part.
        widths: Number of columns of each factor.
    """
    train = statistics.train(0)
    unit = linear.units(train)
    tried = [_ridge_in(statistics, torch.ones_like(unit), widths)]
    if bool((unit != 1).any()):
        tried.append(_ridge_in(statistics, unit, widths))
    plain, chosen = linear.least_squares_from_moments(train), tried[0].error
    nearer = tried[-1].error < GAIN * chosen
    error = torch.where(nearer, tried[-1].error, chosen)
    ridged = error < GAIN * tried[0].plain_error
    error = torch.where(ridged, error, tried[0].plain_error)
    maps = [one.maps(widths) if bool(ridged.any()) else None for one in tried]
    fits, start = [], 0
    for j, width in enumerate(widths):
        columns = slice(start, start + width)
        start += width
        which = -1 if nearer[j] else 0
        a, b, penalty = plain.coefficient, plain.intercept, 0.0
        ridge = maps[which]
        if ridged[j] and ridge is not None:
            a, b, penalty = *ridge, tried[which].penalty[j].item()
        fits.append(
            Regression(
                coefficient=a[:, columns],
                intercept=b[columns],
                penalty=penalty,
                rank=plain.rank,
                condition_number=plain.condition_number,
                error=error[j].item(),
            )
        )
    return fits


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ridge:
    """Ridge of columns multiplied by some units, with the best penalty of each factor."""

    train: Moments
    unit: Float[Tensor, " d"]
    penalty: Float[Tensor, " factors"]
    error: Float[Tensor, " factors"]
    """Squared, of cross-validation."""
    plain_error: Float[Tensor, " factors"]
    """The same of least squares."""

    def maps(self, widths: list[int]) -> tuple[Tensor, Tensor]:
        """For the columns as they were, fitted to all rows."""
        own = self.penalty.repeat_interleave(torch.tensor(widths))
        a, b = linear.ridge_each(self.train, penalties=own)
        return self.unit[:, None] * a, b


def _ridge_in(statistics: FoldMoments, unit: Tensor, widths: list[int]) -> _Ridge:
    train = statistics.train(0).scaled(unit)
    trace = train.hh.trace().clamp(min=torch.finfo(torch.float64).tiny)  # nothing varies: the mean
    penalties = trace * trace.new_tensor(PENALTIES)
    folds = ((fit.scaled(unit), out.scaled(unit)) for fit, out in statistics.folds())
    plain, ridged = linear.cross_validated(folds, penalties=penalties)
    least, best = torch.stack([e.sum(1) for e in torch.split(ridged, widths, dim=1)]).min(dim=1)
    return _Ridge(
        train=train,
        unit=unit,
        penalty=penalties[best],
        error=least,
        plain_error=torch.stack([e.sum() for e in torch.split(plain, widths)]),
    )


def predict_each(
    fits: list[Regression], h: Float[Tensor, "n d"], *, split: Split
) -> list[Float[Tensor, "n_test _"]]:
    """The maps at the held-out rows, block by block in float64."""
    a = torch.cat([fit.coefficient for fit in fits], dim=1)
    b = torch.cat([fit.intercept for fit in fits])
    prediction = torch.cat([block @ a + b for block in blocks(h, split.test)])
    widths = [fit.coefficient.shape[1] for fit in fits]
    return list(torch.split(prediction, widths, dim=1))
