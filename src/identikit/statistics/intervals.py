"""95 % intervals from resamples, right for light tails from few samples on, and wide below.

A score of few samples is biased, and in resamples once more: a mean over many factors has an
interval far narrower than that bias, and percentiles miss the truth. So, for resamples q with
mean m of a score s,

    ends = percentiles - 2 (m - s), then drawn out from their middle by
    t_{k-1} / 1.96 sqrt(k / (k - 1)),

k the effective number of samples (`effective`), which heavy tails, rare values and few groups
lessen. Correlations: on Fisher's scale. Measures that end at 1 need more where they come near it.
AUC: joined with the same interval on the scale of logits. Balanced accuracy: Wilson's interval
for the share of hits in each level, put together by arms (Zou and Donner 2008), with
Satterthwaite's degrees of freedom; for these two k is the samples of the rarest level.
`benchmarks/calibration.py` counts how often they hold the truth.
"""

import math

import torch
from jaxtyping import Float
from scipy.special import ndtri, stdtrit
from torch import Tensor

from identikit.core.estimate import Estimate

TAIL = 0.025
Ranges = tuple[tuple[float, float], ...]
"""Least and largest that scores can be: for all of them, or for each."""
ANY: Ranges = ((-math.inf, math.inf),)
SCORE: Ranges = ((-math.inf, 1.0),)
"""R² and its like."""
CORRELATION: Ranges = ((-1.0, 1.0),)
SHARE: Ranges = ((0.0, 1.0),)
INSIDE = 1 - 1e-12
Z = float(ndtri(1 - TAIL))
FEW = 10
ENOUGH = 100
"""Effective samples from which on nothing need be said, however many there are in all."""


def effective(influence: Float[Tensor, "groups k"]) -> Float[Tensor, " k"]:
    """How many samples decide each score: 2 n / (kurtosis of the influences - 1), at most n.

    That is the degrees of freedom of the variance that they estimate (Satterthwaite 1946): n for
    normal influences, twice the rarer samples for a share, a handful where a few samples of
    heavy tails or a few values other than 0 make the score.

    Args:
        influence: Derivatives of the scores by the weights of the groups; zero in the mean.
    """
    n = len(influence)
    square = (influence / influence.abs().amax(dim=0)).square()
    kurtosis = n * square.square().sum(dim=0) / square.sum(dim=0).square()
    found: Tensor = (2 * n / (kurtosis - 1)).nan_to_num(nan=n).clamp(max=n)
    return found


def caveat(samples: int, *, of: int) -> str:
    """What to say of an interval that few of all samples decide; empty where there are enough."""
    if samples >= max(FEW, min(ENOUGH, of / 10)):
        return ""
    return (
        f"{samples} effective samples of {of:,} decide it: its interval is widened, and not "
        "quite sure"
    )


def less(one: Ranges, other: Ranges) -> Ranges:
    """The range of differences."""
    pairs = max(len(one), len(other))
    both = zip(one * (pairs // len(one)), other * (pairs // len(other)), strict=True)
    return tuple((a[0] - b[1], a[1] - b[0]) for a, b in both)


def stretch(samples: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    """By how much few effective samples draw an interval out."""
    k = samples.clamp(min=2.0)
    return torch.as_tensor(stdtrit((k - 1).numpy(), 1 - TAIL)) / Z * (k / (k - 1)).sqrt()


def shifted(
    value: Float[Tensor, " k"],
    draws: Float[Tensor, "b k"],
    *,
    samples: Float[Tensor, " k"],
    within: Ranges,
) -> list[Estimate]:
    """The interval of each of k scores from its resamples; NaN draws are left out.

    Args:
        value: The scores.
        draws: Their resamples.
        samples: Effective number of samples of each.
        within: Least and largest that such scores can be.
    """
    given = value
    least, largest = torch.tensor(within, dtype=torch.float64).T
    # Fisher's scale, on which spread hardly depends on the value
    fisher = ((least == -1) & (largest == 1)).expand_as(value)
    value, draws = (
        torch.where(fisher, x.clamp(-INSIDE, INSIDE).atanh(), x) for x in (value, draws)
    )
    tails = torch.tensor([TAIL, 1 - TAIL], dtype=torch.float64)
    low, high = draws.nanquantile(tails, dim=0)
    bias = draws.nanmean(dim=0) - value
    low, high, middle = low - 2 * bias, high - 2 * bias, value - bias
    by = stretch(samples)
    low, high = middle - by * (middle - low), middle + by * (high - middle)
    low, high = (torch.where(fisher, end.tanh(), end) for end in (low, high))
    low, high = (torch.minimum(torch.maximum(end, least), largest) for end in (low, high))
    low, high = torch.minimum(low, given), torch.maximum(high, given)
    return [
        Estimate(value=v, low=lo, high=hi)
        for v, lo, hi in zip(given.tolist(), low.tolist(), high.tolist(), strict=True)
    ]


def of_auc(value: float, draws: Float[Tensor, " b"], *, rarer: float) -> Estimate:
    """The interval of an AUC.

    Args:
        value: The AUC.
        draws: Its resamples, NaN where one lacks a level.
        rarer: Samples, or groups, of the rarer level.
    """
    draws = draws[~draws.isnan()]
    if len(draws) < 2 or rarer < 2:
        return Estimate(value=value, low=0.0, high=1.0)
    samples = draws.new_tensor([rarer])
    (plain,) = shifted(draws.new_tensor([value]), draws[:, None], samples=samples, within=SHARE)
    inside = min(max(value, 0.5 / rarer), 1 - 0.5 / rarer)
    centre = math.log(inside / (1 - inside))
    arm = stretch(samples).item() * Z * draws.std().item() / (inside * (1 - inside))
    low, high = (1 / (1 + math.exp(-(centre + side * arm))) for side in (-1, 1))
    return Estimate(value=value, low=min(low, plain.low), high=max(high, plain.high))


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
        wide = stdtrit(max(df, 1.0), 1 - TAIL) / Z
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
    arm = float(stdtrit(k - 1, 1 - TAIL)) * sd
    value = estimate.value
    return Estimate(
        value=value,
        low=value - math.hypot(value - estimate.low, arm),
        high=value + math.hypot(estimate.high - value, arm),
    )
