"""Splits: complete, by group, by class."""

import pytest
import torch

from identikit.core.errors import InputError
from identikit.statistics.split import class_folds, random_split


@pytest.mark.parametrize("seed", range(10))
def test_the_two_parts_are_all_samples_once(seed: int) -> None:
    split = random_split(
        torch.arange(101), train_share=0.5, generator=torch.Generator().manual_seed(seed)
    )
    assert sorted(torch.cat([split.train, split.test]).tolist()) == list(range(101))
    assert len(split.train) == 50


@pytest.mark.parametrize("seed", range(10))
def test_a_group_is_never_on_both_sides(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    groups = torch.randint(7, (100,), generator=generator)
    split = random_split(groups, train_share=0.7, generator=generator)
    assert not torch.isin(groups[split.test], groups[split.train]).any()
    assert len(groups[split.train].unique()) == 5


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_shares_outside_zero_to_one_are_refused(share: float) -> None:
    with pytest.raises(InputError, match="train_share"):
        random_split(torch.arange(9), train_share=share, generator=torch.Generator())


def test_a_single_group_cannot_be_split() -> None:
    with pytest.raises(InputError, match="at least two different labels"):
        random_split(torch.ones(9).long(), train_share=0.5, generator=torch.Generator())


@pytest.mark.parametrize(("classes", "folds"), [(100, 1), (22, 1), (21, 10), (10, 10), (4, 4)])
def test_classes_are_held_out_whole_and_each_once_where_they_are_few(
    classes: int, folds: int
) -> None:
    row_class = torch.arange(3 * classes) % classes
    splits = class_folds(row_class, dim=5, generator=torch.Generator().manual_seed(0))
    assert len(splits) == folds
    for split in splits:
        assert not torch.isin(row_class[split.test], row_class[split.train]).any()
    if folds > 1:
        held_out = torch.cat([split.test for split in splits])
        assert sorted(held_out.tolist()) == list(range(3 * classes))
