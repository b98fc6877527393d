"""The penalty with the least held-out log-loss.

All penalties of all folds of all groups (a factor, a repetition) are problems of one batch, and all
are solved: held-out loss may rise along the grid, while directions of much variance are
overfitted, and fall again, when the signal in one of little variance comes through.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.probing.logistic.batch import BUDGET, Correlations
from identikit.probing.logistic.problem import Start, Tasks, losses
from identikit.probing.logistic.search import fit_logistic

ROUGH = 3e-4
"""Tolerance of the fits."""


def chosen(
    x: Float[Tensor, "n p"],
    tasks: Tasks,
    judged: Float[Tensor, "tasks n"],
    *,
    folds: int,
    grid: Float[Tensor, "penalties p"],
    correlations: Correlations | None = None,
    overhead: int = 0,
) -> tuple[Int[Tensor, " groups"], Float[Tensor, " groups"], Start]:
    """Where in the grid each group's held-out loss is least, and what it is there.

    And the mean of the folds' solutions there, from which a fit to all rows starts.

    Args:
        x: Features.
        tasks: The folds of each group one after the other, weighted on the rows to fit.
        judged: Weights of the rows that each fold holds out.
        folds: Tasks of a group.
        grid: Penalties of each coordinate.
        correlations: As for `fit_logistic`.
        overhead: The same.
    """
    groups, size = len(tasks) // folds, len(x) * int(tasks.classes.max())
    at_once = max(1, BUDGET // (folds * len(grid) * size))
    correlations = correlations or Correlations.of(x)
    best: list[Tensor] = []
    loss: list[Tensor] = []
    weight: list[Tensor] = []
    bias: list[Tensor] = []
    for first in range(0, groups, at_once):
        own = torch.arange(first * folds, min(first + at_once, groups) * folds)
        task = own.repeat_interleave(len(grid))
        found = fit_logistic(
            x,
            tasks,
            task=task,
            penalty=grid.repeat(len(own), 1),
            tolerance=ROUGH,
            correlations=correlations,
            overhead=overhead,
        )
        each = losses(found.logits(x), tasks.label[task], judged[task]).double()
        each = each.view(-1, folds, len(grid)) * judged[own].sum(dim=1).view(-1, folds, 1)
        of_folds = each.sum(dim=1)
        best.append(of_folds.argmin(dim=1))
        loss.append(of_folds.amin(dim=1))
        group = torch.arange(len(best[-1]))
        for parts, of_all in ((weight, found.weight), (bias, found.bias)):
            each = of_all.view(len(group), folds, len(grid), *of_all.shape[1:])
            parts.append(each[group, :, best[-1]].mean(dim=1))
    return torch.cat(best), torch.cat(loss), Start(torch.cat(weight), torch.cat(bias))
