"""Which samples fit a map and which score it.

The paper (arXiv:2410.21869, section 4.1) fits on one random half of fresh samples and
scores on the other. Samples that share a group (an object, an azimuth, a class) go to
the same side. Head rows are always grouped by class: rows of one class are copies of one
vector (theorem 1), so a split by row would score a map on points that it was fitted to.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.randomness import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Row numbers of the two parts."""

    train: Int[Tensor, " n_train"]
    test: Int[Tensor, " n_test"]


def random_split(
    groups: Int[Tensor, " n"], *, train_share: float, generator: torch.Generator
) -> Split:
    """A random share of the groups to fit, the others to score.

    Args:
        groups: Group of each sample; `torch.arange(n)` splits sample by sample.
        train_share: Share of groups to fit on, in (0, 1).
        generator: Source of the permutation.

    Raises:
        InputError: a share outside (0, 1), or fewer than two groups.
    """
    if not 0 < train_share < 1:
        raise InputError(
            f"train_share must lie between 0 and 1, both excluded; got {train_share}. "
            "The paper uses 0.5."
        )
    names, group = torch.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InputError(
            f"groups must hold at least two different labels to hold one out; got {len(names)}."
        )
    n_train = min(max(round(train_share * len(names)), 1), len(names) - 1)
    chosen = torch.zeros(len(names), dtype=torch.bool)
    chosen[torch.randperm(len(names), generator=generator)[:n_train]] = True
    return _from_mask(chosen[group])


def group_folds(
    groups: Int[Tensor, " n"], *, n_folds: int, generator: torch.Generator
) -> list[Split]:
    """Splits that hold each group out once, in `n_folds` turns or as many as there are groups."""
    names, group = torch.unique(groups, return_inverse=True)
    n_folds = min(n_folds, len(names))
    fold = torch.arange(len(names))[torch.randperm(len(names), generator=generator)] % n_folds
    return [_from_mask(fold[group] != k) for k in range(n_folds)]


def training_folds(groups: Int[Tensor, " n"], *, seed: int) -> list[Split]:
    """Five folds of the rows to fit on, by whole groups where there are several."""
    if len(torch.unique(groups)) < 2:
        groups = torch.arange(len(groups))
    return group_folds(groups, n_folds=5, generator=stream(seed, "folds"))


def class_folds(
    row_class: Int[Tensor, " n"], *, dim: int, generator: torch.Generator
) -> list[Split]:
    """Splits of head rows by class: one half split, or ten folds where classes are few.

    A half of the classes must outnumber the dimensions of a row by two to one; below that
    each class is predicted by a map fitted on the other nine tenths of the classes.
    """
    if len(torch.unique(row_class)) // 2 > 2 * dim:
        return [random_split(row_class, train_share=0.5, generator=generator)]
    return group_folds(row_class, n_folds=10, generator=generator)


def _from_mask(train: Tensor) -> Split:
    return Split(train=train.nonzero().flatten(), test=(~train).nonzero().flatten())
