"""The penalty with the least held-out log-loss.

Penalties go from strong to weak, and a search starts where the last two solutions point: solutions
grow with the logarithm of the weakness where classes are separable, and stop where they are not.
All penalties are solved: held-out loss may rise along the grid, while directions of much variance
are overfitted, and fall again, when the signal in one of little variance comes through.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.probing.logistic.batch import BUDGET, Correlations
from identikit.probing.logistic.problem import LogisticFits, Start, Tasks, losses
from identikit.probing.logistic.search import fit_logistic


def chosen(
    x: Float[Tensor, "n p"],
    tasks: Tasks,
    judged: Float[Tensor, "tasks n"],
    *,
    folds: int,
    grid: Float[Tensor, "kinds strengths p"],
    correlations: Correlations | None = None,
    overhead: int = 0,
) -> tuple[Int[Tensor, " groups"], Float[Tensor, " groups"], Start]:
    """Where in the flattened grid each group's held-out loss is least, and what it is there.

    And the mean of the folds' solutions there, from which a fit to all rows starts.

    Args:
        x: Features.
        tasks: The folds of each group one after the other, weighted on the rows to fit.
        judged: Weights of the rows that each fold holds out.
        folds: Tasks of a group.
        grid: Penalties of each coordinate, of each kind from strong to weak, in equal ratios.
        correlations: As for `fit_logistic`.
        overhead: The same.
    """
    size = len(x) * int(tasks.classes.max())
    at_once = max(1, BUDGET // (folds * len(grid) * size))
    correlations = correlations or Correlations.of(x)
    parts = [
        _chosen(x, tasks, judged, own, folds, grid, correlations, overhead)
        for own in torch.arange(len(tasks)).split(at_once * folds)
    ]
    best, loss, weight, bias = (torch.cat(each) for each in zip(*parts, strict=True))
    return best, loss, Start(weight, bias)


def _chosen(
    x: Tensor,
    tasks: Tasks,
    judged: Tensor,
    own: Tensor,
    folds: int,
    grid: Tensor,
    correlations: Correlations,
    overhead: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same for some groups, of these tasks."""
    kinds, strengths = grid.shape[:2]
    task, group = own.repeat_interleave(kinds), torch.arange(len(own) // folds)
    held_out = judged[task].sum(dim=1)
    fits: list[LogisticFits] = []
    loss: list[Tensor] = []
    for strength in range(strengths):
        found = fit_logistic(
            x,
            tasks,
            task=task,
            penalty=grid[:, strength].repeat(len(own), 1),
            start=_ahead(fits),
            correlations=correlations,
            overhead=overhead,
        )
        fits.append(found)
        each = losses(found.logits(x), tasks.label[task], judged[task]).double() * held_out
        loss.append(each.view(-1, folds, kinds).sum(dim=1))
    of_folds = torch.stack(loss, dim=2).flatten(1)
    best = of_folds.argmin(dim=1)
    weight, bias = (
        torch.stack([getattr(found, name) for found in fits], dim=1)
        .view(len(group), folds, kinds * strengths, *shape)[group, :, best]
        .mean(dim=1)
        for name, shape in (("weight", fits[0].weight.shape[1:]), ("bias", fits[0].bias.shape[1:]))
    )
    return best, of_folds.amin(dim=1), weight, bias


def _ahead(fits: list[LogisticFits]) -> Start | None:
    """Where the next solutions lie if they move as they did last."""
    if len(fits) < 2:
        return Start(fits[0].weight, fits[0].bias) if fits else None
    last, now = fits[-2:]
    missing = now.bias == -torch.inf
    bias = torch.where(missing, now.bias, 2 * now.bias - last.bias)
    return Start(2 * now.weight - last.weight, bias)
