"""Classifiers of all factors at once, with penalties chosen inside the training part.

Logistic regression (`logistic`) in principal coordinates of the training part. Its penalty,
lambda |W|² in units of each coordinate's variance or all in that of the first, is the one with
the least log-loss on the folds, each left out once (`logistic.tuning`). The first kind is blind to
any affine map of the features; where samples are few it lifts noise to the size of signal, so
there is the second. A classifier names the level that gains most over its share,
argmax_c p(c|h) / p(c): the best guess for balanced accuracy. x is (n, p); rows are samples.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.probing import logistic
from identikit.probing.logistic import Correlations, Start, Tasks
from identikit.statistics.split import Split

PENALTIES = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


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
    overhead: int = 0,
) -> list[Classifier]:
    """Choose each factor's penalty on the folds, then fit to all rows.

    Args:
        x: Principal coordinates.
        size: Standard deviation along each.
        labels: Level of each factor, numbered from 0.
        classes: Number of levels of each factor; training may lack some.
        folds: Splits of the rows.
        overhead: As for `logistic.fit_logistic`.
    """
    grid, correlations = _grid(size), Correlations.none(size.square().to(x))
    best, loss, start = _best(x, labels, classes, grid, folds, correlations, overhead)
    penalty = grid.flatten(0, 1)[best]
    everything = torch.ones(labels.shape, dtype=x.dtype)
    found = logistic.fit_logistic(
        x,
        Tasks(label=labels, weight=everything, classes=classes),
        task=torch.arange(len(labels)),
        penalty=penalty,
        start=start,
        correlations=correlations,
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


def _grid(size: Tensor) -> Tensor:
    """Penalties on the squared weight of each coordinate, (2, 6, p)."""
    square = size.square()
    kinds = torch.stack([square, square[:1].expand_as(square)])
    return kinds[:, None] * size.new_tensor(PENALTIES)[:, None]


def _best(
    x: Tensor,
    labels: Tensor,
    classes: Tensor,
    grid: Tensor,
    folds: list[Split],
    correlations: Correlations,
    overhead: int,
) -> tuple[Tensor, Tensor, Start]:
    """Where in the grid each factor's log-loss on what the folds leave out is least."""
    fitted, judged = _fold_weights(labels, folds, x.dtype)
    tasks = Tasks(
        label=labels.repeat_interleave(len(folds), 0),
        weight=fitted,
        classes=classes.repeat_interleave(len(folds)),
    )
    return logistic.chosen(
        x,
        tasks,
        judged,
        folds=len(folds),
        grid=grid,
        correlations=correlations,
        overhead=overhead,
    )


def _fold_weights(labels: Tensor, folds: list[Split], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Rows to fit on and rows to judge by, of levels seen, for each factor and fold."""
    fitted = torch.zeros(len(labels), len(folds), labels.shape[1], dtype=dtype)
    judged = torch.zeros_like(fitted)
    for k, fold in enumerate(folds):
        fitted[:, k, fold.train] = 1
        for j, label in enumerate(labels):
            seen = torch.isin(label[fold.test], label[fold.train])
            judged[j, k, fold.test[seen]] = 1
    return fitted.flatten(0, 1), judged.flatten(0, 1)


def _log_share(label: Tensor, classes: int) -> Tensor:
    count = torch.bincount(label, minlength=classes).double()
    return torch.where(count > 0, (count / len(label)).log(), 0.0)
