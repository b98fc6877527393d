"""Rows for training, validation and test."""

import pytest
import torch

from identikit.core.errors import InputError
from identikit.worlds.grids.grid import Grid, levelled
from identikit.worlds.grids.split import split_rows

GRID = Grid((levelled("shape", 4), levelled("place", 250)))


def test_all_rows_are_dealt_out_once_in_tenths() -> None:
    split = split_rows(GRID, task="shape", seed=0)
    assert [len(split.train), len(split.validation), len(split.test)] == [800, 100, 100]
    dealt = torch.cat([split.train, split.validation, split.test])
    assert torch.equal(dealt.sort().values, torch.arange(1000))


def test_the_seed_decides_and_fewer_images_may_be_asked_for() -> None:
    first, again = (split_rows(GRID, task="shape", seed=0) for _ in range(2))
    assert torch.equal(first.test, again.test)
    other = split_rows(GRID, task="shape", seed=1)
    assert not torch.equal(first.test, other.test)
    few = split_rows(GRID, task="shape", seed=0, images=205)
    assert [len(few.train), len(few.validation), len(few.test)] == [165, 20, 20]


def test_a_class_with_too_few_images_is_refused() -> None:
    with pytest.raises(InputError, match="levels of 'place': a class has too few images"):
        split_rows(GRID, task="place", seed=0)
    with pytest.raises(InputError, match="too few images"):
        split_rows(GRID, task="shape", seed=0, images=10)
    with pytest.raises(InputError, match="from 1 to the grid's 1000; got 1001"):
        split_rows(GRID, task="shape", seed=0, images=1001)
    with pytest.raises(InputError, match="unknown factor 'form'"):
        split_rows(GRID, task="form", seed=0)
