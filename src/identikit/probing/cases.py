"""What theorem 1 says of the maps to h and to head rows, measured.

h = A z, w_i = B v_C(i) + psi (arXiv:2410.21869, theorem 1). Singular values and psi are those of
affine least squares. Whether one rotation does for both: R = U V' of z'h / |z||h| + v'w / |v||w|
(rows less psi), so that both weigh the same, beside the two of their own; scored on samples and
classes that fitted neither. h is (n, d), z (n, d), rows W (labels, d), v (classes, d).
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.estimate import Estimate
from identikit.core.linalg import Procrustes, centred
from identikit.core.randomness import stream
from identikit.statistics.bootstrap import Bootstrap, Resampled, Statistic
from identikit.statistics.split import Split, group_folds
from identikit.theory.cases import Promise
from identikit.theory.coverage import class_rows

RESAMPLES = 1000
MOST_SAMPLES = 4096
MOST_DIMENSIONS = 64
"""Beyond, a thousand resampled maps take seconds."""
FOLDS = 10
POSITIVE = ((0.0, math.inf),)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScores:
    """How nearly the maps to h and to the rows are what a case of theorem 1 promises."""

    temperature: float
    """beta, the inverse temperature: learned in case C1, else 1."""
    length_of_h: Estimate
    """Mean singular value of A."""
    error_of_h: Estimate
    """Mean |s / length - 1| over the singular values s of A, for the length that is promised; for
    their mean where none is."""
    length_of_rows: Estimate
    """Mean singular value of B."""
    error_of_rows: Estimate
    """As `error_of_h`, of B."""
    constant: Estimate
    """|psi| over the mean singular value of B."""
    own_rotations: Estimate
    """Squared error of h by a length and a rotation of z, relative to |h|², and of the rows less
    psi by those of v, each with a rotation of its own: mean of the two."""
    one_rotation: Estimate
    """The same where both share one rotation."""
    apart: Estimate
    """The second less the first, paired."""
    unequal_rows: Estimate | None
    """Spread of rows within a class over that of the mean rows of classes; None where no class has
    two labels."""


@dataclass(frozen=True, slots=True)
class _Points:
    """Points a and their images b, with the resamples and folds of them."""

    a: Float[Tensor, "n d"]
    b: Float[Tensor, "n d"]
    bootstrap: Bootstrap
    folds: list[Split]

    @classmethod
    def of(cls, a: Tensor, b: Tensor, *, seed: int, name: str) -> "_Points":
        one_each = torch.arange(len(a))
        resamples = stream(seed, f"bootstrap of {name}")
        folds = stream(seed, f"folds of {name}")
        return cls(
            a,
            b,
            Bootstrap(one_each, resamples=RESAMPLES, generator=resamples),
            group_folds(one_each, n_folds=FOLDS, generator=folds),
        )


def case_scores(
    *,
    h: Float[Tensor, "n d_h"],
    z: Float[Tensor, "n d"],
    rows: Float[Tensor, "labels d_h"],
    row_class: Int[Tensor, " labels"],
    class_vectors: Float[Tensor, "classes d"],
    temperature: float,
    promise: Promise,
    seed: int,
) -> CaseScores | None:
    """Measure what a case of theorem 1 speaks of; None where it speaks of nothing.

    That is: h of another number of dimensions than z, no more classes than d + 1 (which fix no
    map), or more than 64 dimensions.

    Args:
        h: Representation of samples that did not train it, without the temperature.
        z: Their latents.
        rows: Of the head, without the temperature.
        row_class: Class of each row.
        class_vectors: Cluster vector of each class.
        temperature: beta.
        promise: What theory says of the lengths.
        seed: Of folds and resamples.
    """
    d, classes = z.shape[1], len(class_vectors)
    if h.shape[1] != d or classes <= d + 1 or d > MOST_DIMENSIONS:
        return None
    v, mean_rows = class_vectors.double(), class_rows(rows.double(), row_class)
    z, h = z[:MOST_SAMPLES].double(), h[:MOST_SAMPLES].double()
    samples = _Points.of(z, h, seed=seed, name="samples")
    of_rows = _Points.of(v, mean_rows, seed=seed, name="classes")
    length_of_h, error_of_h, _ = _map(samples, promise.length_of_h)
    length_of_rows, error_of_rows, constant = _map(of_rows, promise.length_of_rows)
    turned = replace(of_rows, a=centred(v), b=centred(mean_rows))
    own, shared = _rotations(samples, turned)
    return CaseScores(
        temperature=temperature,
        length_of_h=length_of_h,
        error_of_h=error_of_h,
        length_of_rows=length_of_rows,
        error_of_rows=error_of_rows,
        constant=constant,
        own_rotations=own.estimates()[0],
        one_rotation=shared.estimates()[0],
        apart=(shared - own).estimates()[0],
        unequal_rows=_unequal(rows.double(), row_class, of_rows.bootstrap),
    )


def _map(points: _Points, length: float | None) -> tuple[Estimate, Estimate, Estimate]:
    """Mean singular value of the affine map from a to b, their mean error, and its constant.

    Under weights the map moves by E[e x'] E[x x']^-1, x = (a, 1) and e the residual: exact but for
    second-order terms, and no resample has to be solved.
    """
    n, d = points.a.shape
    x = torch.cat([points.a, torch.ones_like(points.a[:, :1])], dim=1)
    dual = torch.linalg.pinv(x).T * n
    fit = dual.T @ points.b / n
    moves = (dual[:, :, None] * (points.b - x @ fit)[:, None, :]).flatten(1)

    def statistic(weights: Tensor) -> Tensor:
        moved = (weights @ moves / weights.sum(dim=1, keepdim=True)).view(-1, *fit.shape) + fit
        s = torch.linalg.svdvals(moved[:, :d])
        mean = s.mean(dim=1, keepdim=True)
        error = (s / (mean if length is None else length) - 1).abs().mean(dim=1, keepdim=True)
        return torch.cat([mean, error, moved[:, d].norm(dim=1, keepdim=True) / mean], dim=1)

    mean, error, constant = points.bootstrap.estimates(Statistic(statistic, POSITIVE))
    return mean, error, constant


def _rotations(samples: _Points, rows: _Points) -> tuple[Resampled, Resampled]:
    """Mean relative squared error of both by rotations of their own, and by one for both."""
    tables: list[list[Tensor]] = [[], []]
    both = (samples, rows)
    for folds in zip(samples.folds, rows.folds, strict=False):  # as many as fewer classes have
        parts = [
            (each.a[fold.train], each.b[fold.train]) for each, fold in zip(both, folds, strict=True)
        ]
        products = [a.T @ b for a, b in parts]
        unit = [p / (a.norm() * b.norm()) for p, (a, b) in zip(products, parts, strict=True)]
        joint = Procrustes.of(unit[0] + unit[1], norm=1.0).rotation
        for table, each, fold, product, (a, _) in zip(
            tables, both, folds, products, parts, strict=True
        ):
            own = Procrustes.of(product, norm=float(a.square().sum()))
            shared = replace(
                own, rotation=joint, scale=float((product * joint).sum() / a.square().sum())
            )
            image = each.b[fold.test]
            missed = [
                (turn.predict(each.a[fold.test]) - image).square().sum(dim=1)
                for turn in (own, shared)
            ]
            found = torch.zeros(len(each.a), 3, dtype=torch.float64)
            found[fold.test] = torch.stack([*missed, image.square().sum(dim=1)], dim=1)
            table.append(found)
    errors = [
        _ratio(torch.stack(table).sum(dim=0), each.bootstrap)
        for table, each in zip(tables, both, strict=True)
    ]
    fewer = min(errors, key=lambda error: error.samples.min().item())  # says how sure both are
    mean = replace(
        fewer,
        value=(errors[0].value + errors[1].value) / 2,
        draws=(errors[0].draws + errors[1].draws) / 2,
    )
    return mean[:1], mean[1:]


def _ratio(table: Float[Tensor, "n 3"], bootstrap: Bootstrap) -> Resampled:
    """Sums of the first two columns over that of the third."""

    def statistic(weights: Tensor) -> Tensor:
        sums = weights @ table
        return sums[:, :2] / sums[:, 2:]

    return bootstrap.resampled(Statistic(statistic, POSITIVE))


def _unequal(rows: Tensor, row_class: Tensor, bootstrap: Bootstrap) -> Estimate | None:
    """Root of the mean variance of rows within classes over that of the classes' means."""
    _, of_row, count = torch.unique(row_class, return_inverse=True, return_counts=True)
    if int(count.min()) < 2:
        return None
    means = class_rows(rows, row_class)
    squares = (rows - means[of_row]).square().sum(dim=1)
    within = torch.zeros(len(means), dtype=torch.float64).index_add(0, of_row, squares)
    within = within / (count - 1)

    def statistic(weights: Tensor) -> Tensor:
        share = weights / weights.sum(dim=1, keepdim=True)
        between = share @ means.square().sum(dim=1) - (share @ means).square().sum(dim=1)
        ratio: Tensor = share @ within / between
        return ratio.sqrt()[:, None]

    return bootstrap.estimates(Statistic(statistic, POSITIVE))[0]
