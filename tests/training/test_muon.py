"""Muon: its iteration against the SVD, its momentum against the formula, stacks and sizes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from identikit.training.muon import Muon, orthogonalize


def matrices(k: int, width: int, *, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(k, width, width, generator=generator, dtype=torch.float64)


def with_condition(condition: float, width: int = 16) -> Tensor:
    u, _, vh = torch.linalg.svd(matrices(1, width))
    values = torch.logspace(0, -np.log10(condition), width, dtype=torch.float64)
    made: Tensor = u * values @ vh
    return made


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("width", [2, 16, 64])
def test_singular_vectors_stay_and_singular_values_become_about_one(
    width: int, scale: float
) -> None:
    x = with_condition(30, width) * scale
    u, _, vh = torch.linalg.svd(x)
    core = u.mT @ orthogonalize(x, iterations=5) @ vh.mT
    values = core.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(core, torch.diag_embed(values), rtol=0, atol=1e-6)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_more_iterations_reach_smaller_singular_values() -> None:
    x = with_condition(1e5)
    five, fifteen = (torch.linalg.svdvals(orthogonalize(x, iterations=n)) for n in (5, 15))
    assert five.min() < 0.1
    assert fifteen.min() > 0.6


def test_single_precision_is_close_to_double() -> None:
    x = matrices(3, 32)
    single = orthogonalize(x.float(), iterations=5)
    torch.testing.assert_close(single.double(), orthogonalize(x, iterations=5), rtol=0, atol=1e-3)


def test_zero_gradients_move_nothing() -> None:
    assert not orthogonalize(torch.zeros(2, 4, 4), iterations=5).any()


def test_steps_are_polar_factors_of_the_look_ahead_momentum() -> None:
    """Three steps against B <- m B + G, W <- W - rate polar(G + m B), typed in numpy."""
    w = torch.nn.Parameter(with_condition(3, 8)[0])
    start, rate, momentum = w.detach().numpy().copy(), 0.1, 0.9
    optimizer = Muon([w], rate, momentum=momentum, iterations=5)
    buffer = np.zeros((8, 8))
    moved = start.copy()
    for grad in with_condition(3, 8) * torch.tensor([1.0, -0.5, 2.0])[:, None, None]:
        w.grad = grad.clone()
        optimizer.step(1.0)
        buffer = momentum * buffer + grad.numpy()
        u, _, vh = np.linalg.svd(grad.numpy() + momentum * buffer)
        step = (moved - w.detach().numpy()) / rate
        core = u.T @ step @ vh.T
        np.testing.assert_allclose(core, np.diag(np.diag(core)), atol=1e-6)
        assert 0.6 < np.diag(core).min() <= np.diag(core).max() < 1.3
        moved = w.detach().numpy().copy()


def test_stacks_and_mixed_sizes_move_as_if_each_matrix_were_alone() -> None:
    starts = [matrices(1, 4)[0], matrices(3, 4), matrices(1, 6)[0], matrices(2, 6, seed=1)]
    grads = [torch.roll(start, 1, -1) + 1 for start in starts]
    together = [torch.nn.Parameter(start.clone()) for start in starts]
    optimizer = Muon(together, 0.1, momentum=0.9)
    for p, grad in zip(together, grads, strict=True):
        p.grad = grad.clone()
    optimizer.step(1.0)
    for p, start, grad in zip(together, starts, grads, strict=True):
        width = start.shape[-1]
        singles = zip(start.view(-1, width, width), grad.view(-1, width, width), strict=True)
        alone = []
        for matrix, its_grad in singles:
            single = torch.nn.Parameter(matrix.clone())
            single.grad = its_grad.clone()
            Muon([single], 0.1, momentum=0.9).step(1.0)
            alone.append(single.detach())
        torch.testing.assert_close(p.detach(), torch.stack(alone).view_as(start))


def test_parameters_without_a_gradient_stay() -> None:
    moved, still = (torch.nn.Parameter(matrices(1, 4)[0]) for _ in range(2))
    before = still.detach().clone()
    moved.grad = torch.ones_like(moved)
    Muon([moved, still], 0.1, momentum=0.9).step(1.0)
    assert torch.equal(still, before)
    assert not torch.equal(moved, before)
