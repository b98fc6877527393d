"""InfoNCE: against PyTorch's cross-entropy, and least exactly at the density ratio."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.objectives.info_nce import InfoNCE, contrastive_loss
from identikit.objectives.views import interleaved
from identikit.worlds.von_mises_fisher import VonMisesFisher


def pairs(n: int, *, dim: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    first, second = torch.randn(2, n, dim, generator=stream(seed, "pairs"), dtype=torch.float64)
    return first, first + second


@pytest.mark.parametrize("unit", [True, False])
def test_it_is_the_cross_entropy_of_both_directions(unit: bool) -> None:
    first, second = pairs(7)
    objective = InfoNCE(temperature=0.5, unit_features=unit).double()
    y, target = interleaved(first, second), torch.arange(7).repeat_interleave(2)
    if unit:
        first, second = F.normalize(first), F.normalize(second)
    logits, own = first @ second.T / 0.5, torch.arange(7)
    expected = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    loss = objective.loss(y, target, generator=torch.Generator())
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)


def test_its_population_loss_is_least_at_the_log_density_ratio() -> None:
    """All batches of two pairs of a world of three states, each with its probability."""
    joint = torch.rand(3, 3, generator=stream(0, "joint"), dtype=torch.float64)
    joint = (joint + joint.T) / (joint + joint.T).sum()
    ratio = (joint / joint.sum(1, keepdim=True) / joint.sum(0)).log()

    def population(critic: Tensor) -> Tensor:
        total = critic.new_zeros(())
        for a, b, c, d in itertools.product(range(3), repeat=4):
            at = critic[torch.tensor([a, c])][:, torch.tensor([b, d])]
            total = total + joint[a, b] * joint[c, d] * contrastive_loss(at)
        return total

    at_ratio = ratio.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(population(at_ratio), at_ratio)
    torch.testing.assert_close(gradient, torch.zeros(3, 3, dtype=torch.float64), atol=1e-15, rtol=0)
    moved = ratio + 0.1 * torch.randn(3, 3, generator=stream(1, "moved"), dtype=torch.float64)
    assert population(moved) > population(ratio) + 1e-5


def test_on_uniform_von_mises_fisher_pairs_the_latents_and_the_concentration_are_its_optimum() -> (
    None
):
    """At h = z and temperature 1 / kappa the gradient vanishes; elsewhere it does not."""
    kappa, generator = 5.0, stream(0, "latents")
    pole = torch.eye(1, 3)
    z = VonMisesFisher(pole, concentration=0.0).sample(
        torch.zeros(1024, dtype=torch.long), generator=generator
    )
    around = VonMisesFisher(z, concentration=torch.full((1024,), kappa))
    other = around.sample(torch.arange(1024), generator=generator)
    y, target = interleaved(z, other), torch.arange(1024).repeat_interleave(2)

    def slopes(temperature: float, stretch: float) -> tuple[float, float]:
        objective = InfoNCE(temperature=temperature)
        turned = torch.diag(torch.tensor([stretch, 1.0, 1.0])).requires_grad_()
        loss = objective.loss(y @ turned, target, generator=generator)
        by_scale, by_map = torch.autograd.grad(loss, [objective.log_scale, turned])
        return float(by_scale), float(by_map[0, 0])

    right = slopes(1 / kappa, 1.0)
    assert max(map(abs, right)) < 0.03
    assert slopes(2 / kappa, 1.0)[0] < -0.2
    assert slopes(1 / kappa, 1.5)[1] > 0.05


def test_a_fixed_temperature_is_no_parameter() -> None:
    assert not list(InfoNCE(learned=False).parameters())
    (learned,) = InfoNCE(temperature=0.25).parameters()
    assert float(learned.detach()) == pytest.approx(math.log(4))
    assert InfoNCE(temperature=0.25, learned=False).temperature == pytest.approx(0.25)


def test_only_unit_features_have_a_length_that_is_held() -> None:
    y = torch.full((4, 2), 3.0)
    assert float(InfoNCE().length_penalty(y)) == pytest.approx((18 - 1) ** 2)
    assert float(InfoNCE(unit_features=False).length_penalty(y)) == 0


@pytest.mark.parametrize("temperature", [0, -0.1, math.inf, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    with pytest.raises(InputError, match="temperature must be positive"):
        InfoNCE(temperature=temperature)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ([0, 0], "at least two pairs"),
        ([0, 0, 1, 2], "needs positive pairs"),
        ([0, 0, 1, 1, 2], "needs positive pairs"),
    ],
)
def test_rows_that_are_no_pairs_are_refused(target: list[int], said: str) -> None:
    y = torch.zeros(len(target), 2)
    with pytest.raises(InputError, match=said):
        InfoNCE().loss(y, torch.tensor(target), generator=torch.Generator())
