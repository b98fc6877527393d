"""Copies and repeated measures are noticed; independent samples of any shape are not."""

import pytest
import torch
from tests.cases import latents
from torch import Tensor

from identikit import Factors, score
from identikit.probing.repeats import repeats


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def said(h: Tensor, z: Tensor | None = None) -> str:
    z = latents(generator(9), n=len(h), dim=1) if z is None else z
    return " ".join(repeats(h, Factors.from_latents(z)))


@pytest.mark.parametrize("n", [50, 500, 5000])
@pytest.mark.parametrize("dim", [1, 2, 5, 100])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_independent_samples_are_left_alone(n: int, dim: int, dtype: torch.dtype) -> None:
    if dtype is torch.float16 and dim < 5:
        return  # has so few values that copies are no news
    assert said(latents(generator(), n=n, dim=dim).to(dtype)) == ""


@pytest.mark.parametrize("dim", [1, 3, 100])
@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_copies_and_near_copies_are_noticed(dim: int, noise: float) -> None:
    h = latents(generator(), n=300, dim=dim)
    twice = torch.cat([h, h + noise * latents(generator(1), n=300, dim=dim)])
    twice = twice[torch.randperm(600, generator=generator(2))]
    assert "copies" in said(100 * twice + 7)


def test_views_of_one_object_after_another_are_noticed() -> None:
    h = latents(generator(), n=40)[torch.arange(800) // 20]
    assert "neighbouring rows" in said(h + 0.2 * latents(generator(1), n=800))


def test_values_of_objects_are_noticed_in_any_order() -> None:
    order = torch.randperm(800, generator=generator(2)) % 40
    h = latents(generator(), n=800) + latents(generator(1), n=40)[order]
    z = latents(generator(3), n=40, dim=2)[order]
    assert "800 samples have but 40 different values" in said(h, z)
    assert "say with groups" in score(h, z, resamples=100).status
    assert score(h, z, groups=order, resamples=100).status.startswith("few groups")
