"""Classifiers of all factors at once, with penalties chosen inside the training part.

Logistic regression (`logistic`) in principal coordinates of the training part. Its penalty,
lambda |W|² in units of each coordinate's variance or all in that of the first, is the one with
the least log-loss on the folds, each left out once (`logistic.tuning`). The first kind is blind to
any affine map of the features; where samples are few it lifts noise to the size of signal, so
there is the second, which is taken unless the first is clearly better. How much it lifts what the
fitted rows hardly show, such as other nouns than theirs, only rows tell that had no part in the
axes: a fold is fitted along those of its own rows. A classifier names the level that gains most
over its share, argmax_c p(c|h) / p(c): the best guess for balanced accuracy. x is (n, p); rows are
samples.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from identikit.core.memory_mapped import blocks, scratch
from identikit.probing import linear, logistic
from identikit.probing.logistic import Correlations, Tasks
from identikit.probing.moments import FoldMoments, Moments
from identikit.probing.regression import CompressedFeatures
from identikit.statistics.split import Split

PENALTIES = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
EVIDENCE = 3.0
"""Log-loss, summed over rows, by which the first kind must be better to be taken: strong evidence
(Kass and Raftery 1995). Where both name every row rightly they differ by less."""
TOGETHER = 1 << 20
"""Numbers of folds' coordinates that are searched together: of so few, calls are what costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """One factor's levels from features, fitted to the training part."""

    weight: Float[Tensor, "p classes"]
    bias: Float[Tensor, " classes"]
    """Minus infinity for a level that training lacks: it is never named."""
    log_share: Float[Tensor, " classes"]
    """Log of each level's share of the training part; 0 for a level not in it."""
    penalty: Float[Tensor, " p"]
    """On the squared weight of each coordinate."""
    loss: float
    """Log-loss on the folds, summed over the rows that they leave out."""
    converged: bool

    def log_posterior(self, x: Float[Tensor, "n p"]) -> Float[Tensor, "n classes"]:
        """Log p(c|x) in float64."""
        logits: Tensor = (x @ self.weight + self.bias).double()
        return logits.log_softmax(dim=1)

    def gain(self, x: Float[Tensor, "n p"]) -> Float[Tensor, "n classes"]:
        """Log p(c|x) / p(c)."""
        return self.log_posterior(x) - self.log_share


def classify(
    x: Float[Tensor, "n p"],
    size: Float[Tensor, " p"],
    labels: Int[Tensor, "factors n"],
    *,
    classes: Int[Tensor, " factors"],
    folds: list[Split],
    of_folds: Iterable[tuple[Tensor, Tensor]],
    overhead: int = 0,
) -> list[Classifier]:
    """Choose each factor's penalty on the folds, then fit to all rows.

    Args:
        x: Principal coordinates.
        size: Standard deviation along each.
        labels: Level of each factor, numbered from 0.
        classes: Number of levels of each factor; training may lack some.
        folds: Splits of the rows.
        of_folds: The same rows in the principal coordinates of each fold's training rows, and
            the standard deviations of these.
        overhead: As for `logistic.fit_logistic`.
    """
    fitted, judged = _fold_weights(labels, folds, x.dtype)

    def along(x: Tensor, some: slice, grid: Tensor, known: Correlations) -> Tensor:
        """Losses of some folds, (factors, penalties)."""
        count = len(folds[some])
        found = logistic.held_out_losses(
            x,
            Tasks(
                label=labels.repeat(count, 1),
                weight=fitted[some].flatten(0, 1),
                classes=classes.repeat(count),
            ),
            judged[some].flatten(0, 1),
            grid=grid,
            correlations=known,
            overhead=overhead,
        )
        return found.view(count, len(labels), -1).sum(dim=0)

    known = Correlations.none(size.square().to(x))
    equal, own = _grid(size, by=size[:1]), _grid(size, by=size)
    white, place = [], 0
    losses = [along(x, slice(None), equal, known)]
    for turned, sizes in of_folds:
        white.append(turned.div_(sizes.to(turned)))
        if sum(part.numel() for part in white) < TOGETHER and place + len(white) < len(folds):
            continue
        width = max(part.shape[1] for part in white)
        stack = torch.stack([pad(part, (0, width - part.shape[1])) for part in white])
        unit = stack.new_ones(width)
        losses.append(
            along(
                stack,
                slice(place, place + len(white)),
                _grid(unit, by=unit),
                Correlations.none(unit),
            )
        )
        place, white = place + len(white), []
    both = torch.cat([sum(losses[1:], torch.zeros(())) + EVIDENCE, losses[0]], dim=1)
    loss, best = both.min(dim=1)
    loss = loss - EVIDENCE * (best < len(own))
    penalty = torch.cat([own, equal])[best]
    found = logistic.fit_logistic(
        x,
        Tasks(label=labels, weight=torch.ones(labels.shape, dtype=x.dtype), classes=classes),
        task=torch.arange(len(labels)),
        penalty=penalty,
        correlations=known,
        overhead=overhead,
    )
    return [
        Classifier(
            weight=found.weight[j, :, :count],
            bias=found.bias[j, :count],
            log_share=_log_share(labels[j], count),
            penalty=penalty[j],
            loss=loss[j].item(),
            converged=bool(found.converged[j]),
        )
        for j, count in enumerate(classes.tolist())
    ]


def principal_coordinates(
    features: CompressedFeatures, fitted: Moments, *parts: Int[Tensor, " _"]
) -> tuple[list[Tensor], Float[Tensor, " p"]]:
    """Rows along the principal axes of some of them, and sizes of these there, the first 1.

    Args:
        features: Whose rows.
        fitted: Statistics of the rows that the axes are of.
        parts: Numbers of the rows to turn; each part comes as (rows, p).
    """
    scale = linear.units(fitted)
    axes = linear.principal_axes(fitted.scaled(scale))
    if not len(axes.size):  # nothing varies
        nought = [torch.zeros(len(rows), 1, dtype=features.dtype) for rows in parts]
        return nought, torch.ones(1, dtype=torch.float64)
    unit, found = axes.size[0], []
    for rows in parts:
        part, start = scratch((len(rows), len(axes.size)), features.dtype), 0
        for block in blocks(features.h, rows):
            part[start : start + len(block)] = axes.coordinates(block * scale) / unit
            start += len(block)
        found.append(part)
    return found, axes.size / unit


def of_each_fold(
    features: CompressedFeatures, statistics: FoldMoments, rows: Int[Tensor, " n"]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows along the axes of what each fold fits on, of statistics of a split and its folds."""
    for fitted, _ in statistics.folds():
        (turned,), size = principal_coordinates(features, fitted, rows)
        yield turned, size


def _grid(size: Tensor, *, by: Tensor) -> Tensor:
    """Penalties on the squared weight of each coordinate, (6, p), by the variance of some."""
    return size.new_tensor(PENALTIES)[:, None] * by.square().expand_as(size)


def _fold_weights(labels: Tensor, folds: list[Split], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Rows to fit on and rows to judge by, of levels seen, (folds, factors, n)."""
    fitted = torch.zeros(len(folds), *labels.shape, dtype=dtype)
    judged = torch.zeros_like(fitted)
    for k, fold in enumerate(folds):
        fitted[k][:, fold.train] = 1
        for j, label in enumerate(labels):
            seen = torch.isin(label[fold.test], label[fold.train])
            judged[k, j, fold.test[seen]] = 1
    return fitted, judged


def _log_share(label: Tensor, classes: int) -> Tensor:
    count = torch.bincount(label, minlength=classes).double()
    return torch.where(count > 0, (count / len(label)).log(), 0.0)
