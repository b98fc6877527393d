"""Labels that look alike are found from observations and labels, and only where that is clear."""

import pytest
import torch
from torch import Tensor

from identikit.core.randomness import stream
from identikit.objectives.label_clustering import cluster_labels, observations_needed


def source(centres: Tensor, *, seed: int = 0, noise: float = 1.0):  # type: ignore[no-untyped-def]
    """Fresh pairs of a label and a noisy, warped copy of its centre."""
    generator = stream(seed, "source")

    def draw(n: int) -> tuple[Tensor, Tensor]:
        label = torch.randint(len(centres), (n,), generator=generator)
        x = centres[label] + noise * torch.randn(n, centres.shape[1], generator=generator)
        return torch.where(x > 0, x, 0.2 * x) @ torch.tensor([[3.0, 1.0], [0.0, 0.1]]), label

    return draw


def circle(groups: int) -> Tensor:
    angle = 2 * torch.pi * torch.arange(groups) / groups
    return torch.stack([angle.cos(), angle.sin()], 1)


def test_labels_of_one_centre_are_one_group() -> None:
    of_label = torch.randint(6, (120,), generator=stream(1, "groups"))
    found = cluster_labels(source(circle(6)[of_label]), 120)
    assert found.groups == 6
    assert found.group is not None
    pairs = {(int(a), int(b)) for a, b in zip(found.group, of_label, strict=True)}
    assert len(pairs) == 6
    assert found.separation > 3
    assert (words := found.statement(untie_at=0.9)).startswith(
        "Labels fall into 6 groups that look "
    )
    assert "shared one row for the first 90% of training" in words


def test_labels_that_all_differ_are_left_alone() -> None:
    found = cluster_labels(source(circle(100)), 100)
    assert found.group is None
    assert found.separation == 0
    assert "not found to fall into fewer than 20 groups" in found.statement(untie_at=0.9)


def test_groups_that_run_into_each_other_are_not_used() -> None:
    """Neighbours on a small circle differ by chance only, and yet there are no groups."""
    found = cluster_labels(source(0.2 * circle(90)), 90)
    assert found.group is None
    assert found.separation > 0
    assert "not clear enough to share rows" in found.statement(untie_at=0.9)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_draws_give_the_same_groups(seed: int) -> None:
    centres = circle(4)[torch.arange(40) % 4]
    first, second = (cluster_labels(source(centres, seed=seed), 40) for _ in range(2))
    assert first.group is not None
    assert torch.equal(first.group, second.group)  # type: ignore[arg-type]
    assert first.separation == second.separation


def test_every_labelled_observation_is_counted() -> None:
    draw, drawn = source(circle(4)[torch.arange(40) % 4]), 0

    def counted(n: int) -> tuple[Tensor, Tensor]:
        nonlocal drawn
        x, label = draw(n)
        drawn += len(x)
        return x, label

    found = cluster_labels(counted, 40)
    assert found.observations == drawn == observations_needed(40)
    assert f"{drawn:,} labelled observations" in found.statement(untie_at=0.9)
