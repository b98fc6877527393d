"""Repeated stratified splits of which both parts are balanced, and what they can be tested with.

A repetition draws 30 % of each level to test and the rest to train, and keeps as many of either
level as the rarer one has (arXiv:2410.21869, section 4.3). Repetitions share images, so their
scores a_1..a_J are no sample of J: the corrected resampled t-test (Nadeau and Bengio, *Inference
for the generalization error*, 2003) asks

    t = mean(a - chance) / sqrt((1/J + n_test/n_train) var(a)),   J - 1 degrees of freedom,

where the plain test has 1/J alone.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from scipy import stats
from torch import Tensor

from identikit.core.errors import InputError

FEWEST = 10
"""Images of either level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancedSplit:
    """Row numbers of the two parts, the present half of each first, both halves in random order."""

    train: Int[Tensor, " n_train"]
    test: Int[Tensor, " n_test"]


def balanced_splits(
    present: Bool[Tensor, " n"],
    *,
    repetitions: int,
    test_share: float,
    generator: torch.Generator,
) -> list[BalancedSplit]:
    """Draw the splits of one target.

    Args:
        present: The target.
        repetitions: How many splits.
        test_share: Share of either level that is held out, in (0, 1).
        generator: Source of the permutations.

    Raises:
        InputError: a level with too few images.
    """
    levels = [present.nonzero().flatten(), (~present).nonzero().flatten()]
    fewest = min(map(len, levels))
    if fewest < FEWEST:
        raise InputError(
            f"a target has {len(levels[0]):,} images that show it and {len(levels[1]):,} that do "
            f"not; at least {FEWEST} of either are needed to hold some out. Add images."
        )
    held_out = [round(test_share * len(level)) for level in levels]
    n_test = max(1, min(held_out))
    n_train = min(len(level) - out for level, out in zip(levels, held_out, strict=True))
    splits = []
    for _ in range(repetitions):
        parts = [
            torch.split(
                level[torch.randperm(len(level), generator=generator)], [out, len(level) - out]
            )
            for level, out in zip(levels, held_out, strict=True)
        ]
        splits.append(
            BalancedSplit(
                train=torch.cat([rest[:n_train] for _, rest in parts]),
                test=torch.cat([out[:n_test] for out, _ in parts]),
            )
        )
    return splits


def corrected_p(scores: Float[Tensor, " repetitions"], *, chance: float, ratio: float) -> float:
    """One-sided p-value of a mean above chance, for splits that share images.

    Args:
        scores: Of each repetition.
        chance: The mean under the null hypothesis.
        ratio: n_test / n_train.
    """
    count, spread = len(scores), scores.std().item()
    above = scores.mean().item() - chance
    if spread == 0:
        return 0.0 if above > 0 else 1.0
    t = above / ((1 / count + ratio) ** 0.5 * spread)
    return float(stats.t.sf(t, count - 1))


def corrected_half_width(
    scores: Float[Tensor, "repetitions k"], *, ratio: float
) -> Float[Tensor, " k"]:
    """Half of the 95 % interval that goes with the corrected test, for each column."""
    count = len(scores)
    quantile = float(stats.t.ppf(0.975, count - 1))
    half: Tensor = quantile * (1 / count + ratio) ** 0.5 * scores.std(dim=0)
    return half


def plain_p(scores: Float[Tensor, " repetitions"], *, chance: float) -> float:
    """Two-sided p-value of the t-test that takes repetitions for independent samples."""
    count, spread = len(scores), scores.std().item()
    off = abs(scores.mean().item() - chance)
    if spread == 0:
        return 0.0 if off > 0 else 1.0
    return float(2 * stats.t.sf(off / (spread / count**0.5), count - 1))
