"""Control tasks: is a factor read from features, or memorised item by item?

A factor that belongs to items (objects, words) can be learned by heart where samples of one item
are on both sides of the split. So are random values of the items, which nothing but memory can
tell (Hewitt and Liang 2019). Selectivity is the score on other samples of the same items less the
mean over many draws of such values; its interval resamples items. What varies within items cannot
be memorised that way, so it has no control task.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.estimate import Estimate
from identikit.core.factors import Factor, Factors, Kind
from identikit.core.randomness import stream
from identikit.probing.linear_probes import (
    EvaluationPlan,
    gather,
    lack_of_values,
    read_each,
    targets,
)
from identikit.statistics.bootstrap import Resampled
from identikit.statistics.permutation import control_factors

DRAWS = 20
"""Of random values for the items."""
MOST_WITHIN = 0.1
"""Share of a factor's variance within items up to which it belongs to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTask:
    """One factor's score where items are on both sides, and what of it is memory."""

    same_items: Estimate
    control: Estimate
    """Mean over the draws."""
    selectivity: Estimate


def control_tasks(
    h: Float[Tensor, "n d_h"],
    factors: Factors,
    items: Int[Tensor, " n"],
    *,
    plan: EvaluationPlan,
    seed: int,
) -> dict[str, ControlTask]:
    """The control tasks of the factors that belong to items.

    Args:
        h: Features.
        factors: The factors.
        items: What each sample shows.
        plan: A split with samples of an item on both sides, and resamples of items.
        seed: Of the random values.
    """
    own = [f for f in factors.values() if share_within(f, items) <= MOST_WITHIN]
    own = [f for f in own if lack_of_values(f, plan.split) is None]
    if not own:
        return {}
    generator = stream(seed, "control task")
    drawn: list[Factor] = []
    for draw in range(DRAWS):
        some = control_factors(Factors(own), items, generator=generator).values()
        drawn += [f.renamed(f"{f.name} {draw}") for f in some if not lack_of_values(f, plan.split)]
    everything = Factors([*own, *drawn])
    results = read_each(gather(h, everything, plan=plan), everything, plan=plan)
    found = {r.score.name: r.resampled for r in results}
    tasks = {}
    for factor in own:
        names = [f"{factor.name} {draw}" for draw in range(DRAWS)]
        controls = [found[name] for name in names if name in found]
        if controls:
            tasks[factor.name] = _task(found[factor.name], controls)
    return tasks


def _task(own: Resampled, controls: list[Resampled]) -> ControlTask:
    memory = Resampled.mean(controls)
    return ControlTask(
        same_items=own.estimates()[0],
        control=memory.estimates()[0],
        selectivity=(own - memory).estimates()[0],
    )


def share_within(factor: Factor, items: Int[Tensor, " n"]) -> float:
    """Share of the variance of a factor's values, or of its levels, that is within items."""
    if factor.kind in (Kind.CATEGORICAL, Kind.BINARY):
        level = torch.unique(factor.values, return_inverse=True)[1]
        y = torch.nn.functional.one_hot(level).double()
    else:
        y = targets(factor)
    y = y - y.mean(dim=0)
    item = torch.unique(items, return_inverse=True)[1]
    count = torch.bincount(item).double()[:, None]
    mean = y.new_zeros(len(count), y.shape[1]).index_add_(0, item, y) / count
    return float((y - mean[item]).square().sum() / y.square().sum())
