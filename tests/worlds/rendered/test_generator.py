"""Images whose factors follow the latents: one factor a coordinate, none twice, none lost."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.theory.assumptions import check_assumptions
from identikit.worlds.config import WorldConfig
from identikit.worlds.generators import Generator, InvertibleGenerator
from identikit.worlds.rendered.generator import ImageGenerator
from identikit.worlds.world import ClusterWorld

KINDS = [("sprites", 4, 1), ("sprites", 7, 2), ("rooms", 5, 3)]


def latents(n: int, dim: int) -> torch.Tensor:
    z = torch.randn(n, dim, generator=stream(0, "latents"))
    return torch.nn.functional.normalize(z)


@pytest.mark.parametrize(("kind", "dim", "channels"), KINDS)
def test_every_coordinate_moves_pixels_of_its_own_object(
    kind: str, dim: int, channels: int
) -> None:
    g, z = ImageGenerator(kind, dim=dim), latents(6, dim)
    x = g(z)
    assert x.shape == (6, channels, 32, 32)
    assert x.min() >= 0
    assert x.max() <= 1
    for j in range(dim):
        moved = z.clone()
        moved[:, j] = torch.where(z[:, j] > 0, -0.7, 0.7)
        changed = (g(moved) - x).abs().amax((2, 3)) > 0.1
        assert changed.any(1).all()
        if kind == "sprites":
            assert changed.any(0).tolist() == [k == j // 4 for k in range(channels)]


def test_the_middle_of_every_factor_is_where_z_is_zero_and_its_ends_where_z_is_one() -> None:
    ends = torch.tensor([[0.0] * 4, [1.0] * 4, [-1.0] * 4])
    values = ImageGenerator("sprites", dim=4).values(ends)
    #                      shape, scale, orientation, x, y
    expected = [[2, 0.75, 0, 0.5, 0.5], [2, 1, math.pi / 2, 1, 1], [2, 0.5, -math.pi / 2, 0, 0]]
    np.testing.assert_allclose(values, expected, atol=1e-6)
    rooms = ImageGenerator("rooms", dim=2).values(torch.tensor([[1.0, -1.0]]))
    np.testing.assert_allclose(rooms, [[0.5, 0.5, 0.5, 0.75, 3, 30]], atol=1e-6)


@pytest.mark.parametrize(("kind", "dim", "channels"), KINDS)
def test_worlds_of_images_meet_every_assumption(kind: str, dim: int, channels: int) -> None:
    config = WorldConfig(generator=kind, dim=dim, classes=20)
    world = ClusterWorld(config, labels=20, seed=0)
    sample = world.sample(8, generator=stream(0, "samples"))
    assert torch.equal(sample.x, world.generator(sample.z))
    assert isinstance(world.generator, Generator)
    assert not isinstance(world.generator, InvertibleGenerator)
    checks = check_assumptions(world, generator=stream(0, "checks"))
    assert all(check.holds for check in checks)


def test_a_generator_that_loses_a_factor_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ClusterWorld(WorldConfig(generator="sprites", dim=3), labels=100, seed=0)
    whole = ImageGenerator.values

    def without_scale(self: ImageGenerator, z: torch.Tensor) -> torch.Tensor:
        return whole(self, z * torch.tensor([1.0, 1.0, 0.0]))

    monkeypatch.setattr(ImageGenerator, "values", without_scale)
    checks = {c.name: c for c in check_assumptions(world, generator=stream(0, "checks"))}
    found = checks["the generator is continuous and injective"]
    assert not found.holds
    assert "from 0 to" in found.detail


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"generator": "rooms", "dim": 6}, "at most 5; got 6"),
        (
            {"generator": "sprites", "observation_dim": 9},
            "belongs to generator mlp, orthogonal-mlp",
        ),
        ({"generator": "rooms", "conditional": "gaussian"}, "latents on the unit sphere"),
        (
            {"generator": "sprites", "generator_layers": 2},
            "belongs to generator mlp, orthogonal-mlp",
        ),
    ],
)
def test_options_that_images_do_not_have_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ClusterWorld(WorldConfig(**options), labels=100, seed=0)
