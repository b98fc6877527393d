"""Groups that are known are found, and likeness is scikit-learn's."""

import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from identikit.statistics.groups import adjusted_rand, between_share, find_groups


@pytest.mark.parametrize("count", [3, 8])
def test_groups_that_are_apart_are_found_without_labels(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.arange(240) % count
    centres = 10 * torch.randn(count, 6, generator=generator)
    x = centres[truth] + torch.randn(240, 6, generator=generator)
    found = find_groups(x, generator=generator)
    assert found.count == count
    assert adjusted_rand(found.group, truth) == 1
    noise = find_groups(torch.randn(240, 6, generator=generator), generator=generator)
    assert noise.clarity < 0.5 < found.clarity


def test_points_that_are_all_one_make_no_trouble() -> None:
    found = find_groups(torch.ones(20, 2), generator=torch.Generator().manual_seed(0))
    assert found.count == 1
    assert found.clarity == 0


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_likeness_is_that_of_scikit_learn(levels: int) -> None:
    generator = torch.Generator().manual_seed(levels)
    one, other = torch.randint(levels, (2, 60), generator=generator)
    mixed = torch.where(torch.rand(60, generator=generator) < 0.5, one, other)
    for a, b in ((one, other), (one, mixed), (one, one)):
        assert adjusted_rand(a, b) == pytest.approx(adjusted_rand_score(a, b))


def test_rows_of_one_group_are_told_from_rows_in_no_order() -> None:
    level = torch.arange(300) % 3
    rows = torch.randn(300, 5, generator=torch.Generator().manual_seed(0))
    between, chance = between_share(rows, level)
    assert chance == 2 / 299
    assert between == pytest.approx(chance, abs=0.02)
    assert between_share(rows[level], level)[0] == pytest.approx(1)
