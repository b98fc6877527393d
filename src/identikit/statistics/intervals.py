"""95 % intervals from resamples, right from some ten effective samples on, and wide below.

A score of few samples is biased, and in resamples once more: a mean over many factors has an
interval far narrower than that bias, and percentiles miss the truth. So, for resamples q with
mean m of a score s,

    ends = percentiles - 2 (m - s), then drawn out from their middle by
    t_{k-1} / 1.96 sqrt(k / (k - 1)),

k the effective number of samples: of groups, or of the rarer of two levels. Two measures that end
at 1 need more where they come near it. AUC: joined with the same interval on the scale of logits.
Balanced accuracy: Wilson's interval for the share of hits in each level, put together by arms
(Zou and Donner 2008), with Satterthwaite's degrees of freedom. `benchmarks/calibration.py` counts
how often they hold the truth.
"""

import math

import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

from identikit.core.estimate import Estimate

TAIL = 0.025
ANY = (-math.inf, math.inf)
SCORE = (-math.inf, 1.0)
"""Ends of R² and its like."""
CORRELATION = (-1.0, 1.0)
Z = float(stats.norm.ppf(1 - TAIL))


def stretch(effective: float) -> float:
    """By how much few samples draw an interval out."""
    k = max(effective, 2.0)
    return float(stats.t.ppf(1 - TAIL, k - 1)) / Z * math.sqrt(k / (k - 1))


def shifted(
    value: Float[Tensor, " k"],
    draws: Float[Tensor, "b k"],
    *,
    effective: float,
    within: tuple[float, float] = ANY,
) -> list[Estimate]:
    """The interval of each of k scores from its resamples; NaN draws are left out.

    Args:
        value: The scores.
        draws: Their resamples.
        effective: Effective number of samples.
        within: Least and largest that such a score can be.
    """
    tails = torch.tensor([TAIL, 1 - TAIL], dtype=torch.float64)
    low, high = draws.nanquantile(tails, dim=0)
    bias = draws.nanmean(dim=0) - value
    low, high, middle = low - 2 * bias, high - 2 * bias, value - bias
    by = stretch(effective)
    low, high = middle - by * (middle - low), middle + by * (high - middle)
    low, high = low.clamp(*within), high.clamp(*within)
    low, high = torch.minimum(low, value), torch.maximum(high, value)
    return [
        Estimate(value=v, low=lo, high=hi)
        for v, lo, hi in zip(value.tolist(), low.tolist(), high.tolist(), strict=True)
    ]


def of_auc(value: float, draws: Float[Tensor, " b"], *, effective: float) -> Estimate:
    """The interval of an AUC.

    Args:
        value: The AUC.
        draws: Its resamples, NaN where one lacks a level.
        effective: Samples, or groups, of the rarer level.
    """
    draws = draws[~draws.isnan()]
    if len(draws) < 2 or effective < 2:
        return Estimate(value=value, low=0.0, high=1.0)
    (plain,) = shifted(draws.new_tensor([value]), draws[:, None], effective=effective)
    inside = min(max(value, 0.5 / effective), 1 - 0.5 / effective)
    centre = math.log(inside / (1 - inside))
    arm = stretch(effective) * Z * draws.std().item() / (inside * (1 - inside))
    low, high = (1 / (1 + math.exp(-(centre + side * arm))) for side in (-1, 1))
    return Estimate(
        value=value, low=max(0.0, min(low, plain.low)), high=min(1.0, max(high, plain.high))
    )


def of_balanced_accuracy(
    recall: Float[Tensor, " levels"], count: Float[Tensor, " levels"]
) -> Estimate:
    """The interval of a mean over levels.

    Args:
        recall: Share of hits in each level.
        count: Effective samples of each.
    """
    spread = Z * (recall * (1 - recall) / count + (Z / count / 2).square()).sqrt()
    middle, size = recall + Z * Z / count / 2, 1 + Z * Z / count
    arms = (
        (recall - (middle - spread) / size).square(),
        ((middle + spread) / size - recall).square(),
    )
    levels, ends = len(recall), []
    for arm in arms:
        df = (arm.sum().square() / (arm.square() / (count - 1).clamp(min=0.5)).sum()).item()
        wide = stats.t.ppf(1 - TAIL, max(df, 1.0)) / Z
        ends.append(float(wide) * arm.sum().sqrt().item() / levels)
    value = recall.mean().item()
    return Estimate(value=value, low=max(0.0, value - ends[0]), high=min(1.0, value + ends[1]))


def with_jackknife(estimate: Estimate, without: list[float]) -> Estimate:
    """An interval that also covers what moves a score when one of k parts is left out.

    The variance between them, (k - 1) / k sum (s_i - mean)² (Efron and Stein 1981), joins that of
    the interval; arms add as squares.
    """
    k = len(without)
    mean = sum(without) / k
    sd = math.sqrt((k - 1) / k * sum((s - mean) ** 2 for s in without))
    arm = float(stats.t.ppf(1 - TAIL, k - 1)) * sd
    value = estimate.value
    return Estimate(
        value=value,
        low=value - math.hypot(value - estimate.low, arm),
        high=value + math.hypot(estimate.high - value, arm),
    )
