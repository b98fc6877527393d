"""Held-out log-loss along a grid of penalties, from strong to weak.

A search starts where the last two solutions point: solutions grow with the logarithm of the
weakness where classes are separable, and stop where they are not. All penalties are solved:
held-out loss may rise along the grid, while directions of much variance are overfitted, and fall
again, when the signal in one of little variance comes through.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.probing.logistic.batch import BUDGET, Correlations
from identikit.probing.logistic.problem import LogisticFits, Start, Tasks, losses
from identikit.probing.logistic.search import fit_logistic


def held_out_losses(
    x: Float[Tensor, "*designs n p"],
    tasks: Tasks,
    judged: Float[Tensor, "tasks n"],
    *,
    grid: Float[Tensor, "penalties p"],
    correlations: Correlations | None = None,
    overhead: int = 0,
) -> Float[Tensor, "tasks penalties"]:
    """Log-loss at each penalty, summed over the rows that each task holds out.

    Args:
        x: Features; several designs as for `fit_logistic`.
        tasks: Labels, weighted on the rows to fit.
        judged: Weights of the rows that each task holds out.
        grid: Penalties of each coordinate from strong to weak, in equal ratios.
        correlations: As for `fit_logistic`.
        overhead: The same.
    """
    correlations = correlations or Correlations.of(x)
    at_once = max(1, BUDGET // (x.shape[-2] * int(tasks.classes.max())))
    found = []
    for task in torch.arange(len(tasks)).split(at_once if x.ndim == 2 else len(tasks)):
        weight, fits, along = judged[task], list[LogisticFits](), []
        for penalty in grid:
            now = fit_logistic(
                x,
                tasks,
                task=task,
                penalty=penalty.expand(len(task), -1),
                start=_ahead(fits),
                correlations=correlations,
                overhead=overhead,
            )
            fits = [*fits[-1:], now]
            along.append(losses(now.logits(x), tasks.label[task], weight).double())
        found.append(torch.stack(along, dim=1) * weight.sum(dim=1, keepdim=True))
    return torch.cat(found)


def _ahead(fits: list[LogisticFits]) -> Start | None:
    """Where the next solutions lie if they move as they did last."""
    if not fits:
        return None
    last, now = fits[0], fits[-1]
    missing = now.bias == -torch.inf
    bias = torch.where(missing, now.bias, 2 * now.bias - last.bias)
    return Start(2 * now.weight - last.weight, bias)
