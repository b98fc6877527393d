"""GCL: a sum over components, and least at the log-ratio of the densities."""

import itertools

import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.objectives.gcl import GCL, exchanged


class _Table(GCL):
    """Any r of a finite world: y are indices of states."""

    table: Tensor

    def regression(self, y: Float[Tensor, "n m"], u: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        return self.table[y[:, 0].long(), u]


def test_its_population_loss_is_least_at_the_log_ratio() -> None:
    """All batches of two samples of a world of three states and two auxiliary values."""
    joint = torch.rand(3, 2, generator=stream(0, "joint"), dtype=torch.float64)
    joint = joint / joint.sum()
    ratio = (joint / joint.sum(1, keepdim=True) / joint.sum(0)).log()

    def population(table: Tensor) -> Tensor:
        objective = _Table(2, 1, generator=torch.Generator())
        objective.table = table
        total = table.new_zeros(())
        for (a, u), (b, v) in itertools.product(itertools.product(range(3), range(2)), repeat=2):
            y, label = torch.tensor([[float(a), 0], [float(b), 0]]), torch.tensor([u, v])
            loss = objective.loss(y, label, generator=torch.Generator())
            total = total + joint[a, u] * joint[b, v] * loss
        return total

    at_ratio = ratio.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(population(at_ratio), at_ratio)
    torch.testing.assert_close(gradient, torch.zeros(3, 2, dtype=torch.float64), atol=1e-15, rtol=0)
    moved = ratio + 0.1 * torch.randn(3, 2, generator=stream(1, "moved"), dtype=torch.float64)
    assert population(moved) > population(ratio) + 1e-5


def test_it_is_a_sum_over_components_and_an_output_of_its_own() -> None:
    objective = GCL(4, 3, generator=stream(0, "psi")).double()
    y = torch.randn(4, generator=stream(0, "y"), dtype=torch.float64)

    def r(y: Tensor) -> Tensor:
        return objective.regression(y[None], torch.tensor([2]))[0]

    hessian = torch.autograd.functional.hessian(r, y)
    assert isinstance(hessian, Tensor)
    torch.testing.assert_close(hessian, hessian.diagonal().diag())
    assert (hessian.diagonal()[:3].abs() > 1e-4).all()
    slope = torch.autograd.functional.jacobian(r, y)
    assert isinstance(slope, Tensor)
    assert float(slope[3]) == 1
    assert objective.features(y[None]).shape == (1, 3)


def test_no_sample_keeps_its_auxiliary_value() -> None:
    for seed in range(20):
        own = torch.arange(6)
        given = exchanged(own, generator=stream(seed, "exchange"))
        assert (given != own).all()
        assert sorted(given.tolist()) == own.tolist()


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="at least two; got 1"):
        GCL(1, 2, generator=torch.Generator())
    objective = GCL(3, 2, generator=torch.Generator())
    with pytest.raises(InputError, match="got a batch of 1"):
        objective.loss(torch.zeros(1, 3), torch.tensor([0]), generator=torch.Generator())
    with pytest.raises(InputError, match="from 0 to 2; got 0 to 3"):
        objective.loss(torch.zeros(2, 3), torch.tensor([0, 3]), generator=torch.Generator())
