"""Few-shot accuracy on clouds that are far apart, the same, or missing."""

import pytest
import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.probing.few_shot import few_shot_accuracy


def clouds(n: int, *, apart: float, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(5, (n,), generator=generator)
    centre = torch.eye(5)[label] * apart
    return centre + torch.randn(n, 5, generator=generator), label


def accuracy(apart: float, *, shots: int = 5) -> Tensor:
    return few_shot_accuracy(
        clouds(500, apart=apart, seed=0),
        clouds(2000, apart=apart, seed=1),
        shots=shots,
        draws=10,
        generator=torch.Generator().manual_seed(2),
    )


def test_far_apart_is_certain_and_the_same_is_chance() -> None:
    assert (accuracy(100.0) == 1).all()
    assert accuracy(0.0).mean().item() == pytest.approx(0.2, abs=0.03)


def test_more_shots_do_better() -> None:
    assert accuracy(2.0, shots=50).mean() > accuracy(2.0, shots=1).mean() + 0.1


def test_all_shots_are_the_nearest_class_mean() -> None:
    pool, test = clouds(500, apart=2.0, seed=0), clouds(300, apart=2.0, seed=1)
    means = torch.stack([pool[0][pool[1] == c].mean(0) for c in range(5)])
    named = (test[0][:, None] - means).norm(dim=2).argmin(1)
    found = few_shot_accuracy(pool, test, shots=10**6, draws=1, generator=torch.Generator())
    assert found.item() == pytest.approx((named == test[1]).double().mean().item())


def test_a_class_that_the_pool_lacks_is_always_missed() -> None:
    h, label = clouds(500, apart=100.0, seed=0)
    keep = label != 3
    found = few_shot_accuracy(
        (h[keep], label[keep]), (h, label), shots=5, draws=2, generator=torch.Generator()
    )
    assert found.tolist() == pytest.approx([keep.double().mean().item()] * 2)


def test_no_shots_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        accuracy(1.0, shots=0)
