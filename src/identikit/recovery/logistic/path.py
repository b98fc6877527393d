"""The penalty with the least held-out log-loss, walked from strong to weak.

All folds of all groups (a factor, a repetition) are fitted at once, some penalties at a time; each
search starts where the one under the last penalty ended. Held-out loss falls along the grid and
then rises: a group whose loss has risen ends its walk, for under the weak penalties left it would
rise further, and fits there take most passes.
"""

from itertools import accumulate, pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.recovery.logistic.batch import BUDGET, Correlations
from identikit.recovery.logistic.problem import Start, Tasks, losses
from identikit.recovery.logistic.search import fit

STRIDES = (3, 2)
"""Penalties at a time: the first, the next, then one by one."""
RISEN = 1.01
"""Held-out loss over the least so far at which a walk ends."""
ROUGH = 3e-4
"""Tolerance of the fits."""


def chosen(
    x: Float[Tensor, "n p"],
    tasks: Tasks,
    judged: Float[Tensor, "tasks n"],
    *,
    folds: int,
    grid: Float[Tensor, "kinds steps p"],
    correlations: Correlations | None = None,
) -> tuple[Int[Tensor, " groups"], Start]:
    """Where in the grid, kinds and steps as one axis, each group's held-out loss is least.

    And the mean of the folds' solutions there, from which a fit to all rows starts.

    Args:
        x: Features.
        tasks: The folds of each group one after the other, weighted on the rows to fit.
        judged: Weights of the rows that each fold holds out.
        folds: Tasks of a group.
        grid: Penalties of each coordinate, from strong to weak along steps; kinds are walked each
            on its own.
        correlations: As for `fit`.
    """
    kinds, steps, _ = grid.shape
    groups, classes = len(tasks) // folds, int(tasks.classes.max())
    walks = torch.cartesian_prod(torch.arange(groups), torch.arange(kinds))
    at_once = max(1, BUDGET // (folds * max(STRIDES) * len(x) * classes))
    correlations = correlations or Correlations.of(x)
    walked = [
        _walked(x, tasks, judged, walks=part, grid=grid, folds=folds, correlations=correlations)
        for part in torch.split(walks, at_once)
    ]
    loss, weight, bias = (torch.cat(parts) for parts in zip(*walked, strict=True))
    best = loss.view(groups, kinds * steps).argmin(dim=1)
    walk = torch.arange(groups) * kinds + best // steps
    return best, Start(weight[walk], bias[walk])


def _walked(
    x: Tensor,
    tasks: Tasks,
    judged: Tensor,
    *,
    walks: Tensor,
    grid: Tensor,
    folds: int,
    correlations: Correlations,
) -> tuple[Tensor, Tensor, Tensor]:
    """Summed held-out loss of each walk and step, infinity for steps that were not taken.

    And the folds' mean weights and biases at the best step of each walk.
    """
    steps, p, classes = grid.shape[1], x.shape[1], int(tasks.classes.max())
    loss = x.new_full((len(walks), steps), torch.inf, dtype=torch.float64)
    weight, bias = x.new_zeros(len(walks), p, classes), x.new_zeros(len(walks), classes)
    going, last = torch.arange(len(walks)), None
    for stride in _strides(steps):
        group, kind = walks[going].T
        fold = group[:, None] * folds + torch.arange(folds)
        task = fold.flatten().repeat_interleave(len(stride))
        place = torch.arange(len(task)).view(*fold.shape, len(stride))
        found = fit(
            x,
            tasks,
            task=task,
            penalty=grid[kind[:, None], stride][:, None].expand(-1, folds, -1, -1).flatten(0, 2),
            tolerance=ROUGH,
            start=last and Start(*(a.repeat_interleave(len(stride), 0) for a in last)),
            correlations=correlations,
        )
        each = losses(found.logits(x), tasks.label[task], judged[task]).double()
        total = each.view(place.shape) * judged[fold].sum(dim=2, keepdim=True)
        before = loss[going].amin(dim=1)
        loss[going[:, None], stride] = total.sum(dim=1)
        least, at = loss[going[:, None], stride].min(dim=1)
        lower = least < before
        there = place[lower, :, at[lower]]
        weight[going[lower]] = found.weight[there].mean(dim=1)
        bias[going[lower]] = found.bias[there].mean(dim=1)
        falling = loss[going, stride[-1]] <= RISEN * torch.minimum(least, before)
        ends = place[falling, :, -1].flatten()
        going, last = going[falling], Start(found.weight[ends], found.bias[ends])
        if not len(going):
            break
    return loss, weight, bias


def _strides(steps: int) -> list[Int[Tensor, " some"]]:
    """Which steps to take together."""
    ends = [0, *accumulate(STRIDES), *range(sum(STRIDES) + 1, steps + 1)]
    return [torch.arange(a, min(b, steps)) for a, b in pairwise(ends) if a < steps]
