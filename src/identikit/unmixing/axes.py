"""InfoMEC and DCI of components against factors, beside the same of others; y (n, k), z (n, m).

Intervals are by half-samples: scores of half of the groups of rows, drawn without replacement, vary
as those of all do (McCarthy 1969, Review of the International Statistical Institute 37). Rows drawn
twice, as by the bootstrap, would count as information, and lie on both sides of a split.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import stdev

import torch
from jaxtyping import Bool, Float, Int
from scipy.special import stdtrit
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.core.randomness import stream
from identikit.disentanglement.dci import dci
from identikit.disentanglement.infomec import infomec

BINS = 20
"""Levels of equal mass that InfoM and InfoC cut factors into."""
MOST_ROWS = 10_000
HALVES = 10
"""Half-samples behind an interval."""
Scores = Mapping[str, Mapping[str, Estimate | float]]


def axis_scores(
    components: Mapping[str, Float[Tensor, "n _"]],
    z: Float[Tensor, "n m"],
    *,
    groups: Int[Tensor, " n"],
    seed: int,
) -> tuple[Scores, tuple[str, ...]]:
    """The scores of several sets of components, the first with intervals, and what there is not.

    DCI is that of a Lasso: components are promised to be linear in the factors.

    Args:
        components: By what they are called; of rows that they were not fitted to.
        z: Factors of these rows.
        groups: Of these rows, which half-samples have whole or not at all.
        seed: Of the rows taken, where there are many, of their splits and of half-samples.
    """
    rows = torch.randperm(len(z), generator=stream(seed, "axis rows"))[:MOST_ROWS]
    z, y = z[rows], {name: own[rows] for name, own in components.items()}
    try:
        values = {name: _scores(own, z, seed) for name, own in y.items()}
    except InputError as error:
        return {}, (f"no InfoMEC and DCI: {error}".removesuffix("."),)
    first = next(iter(y))
    try:
        drawn = [_scores(y[first][half], z[half], seed) for half in _halves(groups[rows], seed)]
    except InputError as error:
        return {**values}, (f"no intervals of InfoMEC and DCI: {error}".removesuffix("."),)
    sure = {name: _interval(v, [one[name] for one in drawn]) for name, v in values[first].items()}
    return {**values, first: sure}, ()


def _halves(groups: Int[Tensor, " n"], seed: int) -> Iterator[Bool[Tensor, " n"]]:
    names, group = groups.unique(return_inverse=True)
    generator = stream(seed, "half-samples")
    for _ in range(HALVES):
        chosen = torch.randperm(len(names), generator=generator)[: len(names) // 2]
        yield torch.isin(group, chosen)


def _interval(value: float, drawn: Sequence[float]) -> Estimate:
    """By Student's t; from 0 to 1, but for an R² below 0."""
    reach = float(stdtrit(len(drawn) - 1, 0.975)) * stdev(drawn)
    return Estimate(value, min(value, max(0.0, value - reach)), max(value, min(1.0, value + reach)))


def _scores(y: Tensor, z: Tensor, seed: int) -> dict[str, float]:
    information = infomec(y, z, generator=stream(seed, "InfoMEC"), factor_bins=BINS)
    importance = dci(y, z, generator=stream(seed, "DCI"), variant="lasso")
    return {
        "InfoM": information.modularity,
        "InfoE": information.explicitness,
        "InfoC": information.compactness,
        "DCI disentanglement": importance.disentanglement,
        "DCI completeness": importance.completeness,
        "DCI informativeness": importance.informativeness,
    }
