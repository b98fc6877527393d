"""Generators are injective, well-conditioned, and their inverses go back."""

import numpy as np
import pytest
import torch

from identikit.core.errors import InputError
from identikit.worlds.generators import (
    IdentityGenerator,
    InvertibleMLP,
    build_invertible_mlp,
    build_orthogonal_mlp,
)


def build(dim: int, *, observation_dim: int | None = None, seed: int = 0) -> InvertibleMLP:
    generator = torch.Generator().manual_seed(seed)
    return build_invertible_mlp(dim, observation_dim=observation_dim, generator=generator)


@pytest.mark.parametrize(
    ("dim", "observation_dim"), [(2, None), (5, None), (5, 12), (10, None), (20, None)]
)
def test_round_trip(dim: int, observation_dim: int | None) -> None:
    g = build(dim, observation_dim=observation_dim)
    z = torch.randn(2000, dim, generator=torch.Generator())
    assert g(z).shape == (2000, observation_dim or dim)
    # Float32 loses up to the product of the condition numbers: 5 at d = 5, 10,000 at d = 20.
    np.testing.assert_allclose(g.inverse(g(z)), z, atol=2e-3 if dim == 20 else 1e-4)
    np.testing.assert_allclose(g.inverse(g(z.double())), z.double(), atol=1e-10)


def test_forward_is_the_formula_of_the_paper() -> None:
    g = build(3)
    z = np.random.default_rng(0).normal(size=3)
    x = z
    for i, weight in enumerate(g.weights):
        x = weight.double().numpy() @ (x if i == 0 else np.where(x > 0, x, 0.2 * x))
    np.testing.assert_allclose(g(torch.from_numpy(z)[None])[0], x, atol=1e-12)


def test_weights_have_unit_columns_and_are_the_best_conditioned() -> None:
    g = build(5)
    assert len(g.weights) == 4
    for weight, condition in zip(g.weights, g.condition_numbers, strict=True):
        np.testing.assert_allclose(weight.norm(dim=0), 1, atol=1e-6)
        assert condition == pytest.approx(np.linalg.cond(weight.double().numpy()))
    # RECIPES: 1.4 to 1.7 for the best of 25,000; a plain draw is near 10.
    assert max(g.condition_numbers) < 2


def test_the_first_layer_is_tall_and_the_rest_square() -> None:
    shapes = [tuple(w.shape) for w in build(5, observation_dim=8).weights]
    assert shapes == [(8, 5), (8, 8), (8, 8), (8, 8)]


def test_large_dimensions_draw_few_matrices_but_still_build() -> None:
    g = build_invertible_mlp(256, layers=2, generator=torch.Generator())
    z = torch.randn(10, 256, generator=torch.Generator(), dtype=torch.float64)
    np.testing.assert_allclose(g.inverse(g(z)), z, atol=1e-8)


def test_same_seed_same_bits() -> None:
    for a, b in zip(build(5).weights, build(5).weights, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(build(5).weights[0], build(5, seed=1).weights[0])


@pytest.mark.parametrize(("dim", "observation_dim"), [(5, None), (5, 12), (64, None)])
def test_the_orthogonal_variant_has_condition_numbers_of_one(
    dim: int, observation_dim: int | None
) -> None:
    g = build_orthogonal_mlp(dim, observation_dim=observation_dim, generator=torch.Generator())
    np.testing.assert_allclose(g.condition_numbers, 1, atol=1e-5)
    wide = observation_dim or dim
    assert [tuple(w.shape) for w in g.weights] == [(wide, dim), *[(wide, wide)] * 3]
    z = torch.randn(2000, dim, generator=torch.Generator())
    np.testing.assert_allclose(g.inverse(g(z)), z, atol=1e-3)
    np.testing.assert_allclose(g.inverse(g(z.double())), z.double(), atol=1e-10)


def test_the_orthogonal_variant_prefers_no_direction() -> None:
    """Without the signs of R's diagonal, Q has a negative first entry for any draw."""
    first = [
        build_orthogonal_mlp(3, generator=torch.Generator().manual_seed(seed)).weights[0][0, 0]
        for seed in range(200)
    ]
    assert abs(float(torch.stack(first).mean())) < 4 * (1 / 3 / 200) ** 0.5


def test_identity() -> None:
    z = torch.randn(3, 2, generator=torch.Generator())
    g = IdentityGenerator(2)
    assert torch.equal(g(z), z)
    assert torch.equal(g.inverse(z), z)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="observation_dim must be at least dim"):
        build(5, observation_dim=4)
    with pytest.raises(InputError, match="layers must be at least 1"):
        build_invertible_mlp(5, layers=0, generator=torch.Generator())
    with pytest.raises(InputError, match="observation_dim must be at least dim"):
        build_orthogonal_mlp(5, observation_dim=4, generator=torch.Generator())
    with pytest.raises(InputError, match="out >= in"):
        InvertibleMLP([torch.ones(2, 3)])
    with pytest.raises(InputError, match="slope must be > 0"):
        InvertibleMLP([torch.eye(2)], slope=0.0)
