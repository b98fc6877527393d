"""MCC after componentwise maps: 1 for invertible functions in any order, less for a rotation."""

import pytest
import torch

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.probing.componentwise import componentwise_mcc


def latents(n: int = 4000, d: int = 3) -> torch.Tensor:
    return torch.rand(n, d, generator=stream(0, "z"), dtype=torch.float64) * 4 - 2


def test_functions_of_single_components_are_undone_in_any_order() -> None:
    z = latents()
    h = torch.stack([torch.exp(2 * z[:, 2]), -(z[:, 0] ** 3), torch.tanh(z[:, 1])], dim=1)
    scores = componentwise_mcc(h, z, resamples=100)
    assert len(scores.per_factor) == 3
    assert min(score.value for score in scores.per_factor) > 0.995


def test_a_rotation_is_no_componentwise_map() -> None:
    z = latents(d=2)
    turn = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    assert componentwise_mcc(z @ turn, z, resamples=100).mean.high < 0.75


def test_noise_and_a_constant_say_nothing() -> None:
    z = latents(d=2)
    noise = torch.randn(len(z), 1, generator=stream(1, "noise"), dtype=torch.float64)
    h = torch.cat([noise, torch.ones_like(noise)], dim=1)
    assert abs(componentwise_mcc(h, z, resamples=100).mean.value) < 0.05


def test_too_few_columns_are_refused() -> None:
    with pytest.raises(InputError, match="got 1 columns for 2 factors"):
        componentwise_mcc(latents(d=1), latents(d=2))
