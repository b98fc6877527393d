from typing import Any

import pytest
import torch
from tests.theory.conftest import make_world

from identikit.core.errors import InputError
from identikit.theory.assumptions import check_assumptions
from identikit.worlds.generators import IdentityGenerator
from identikit.worlds.von_mises_fisher import VonMisesFisher
from identikit.worlds.world import ClusterWorld

SPAN = "cluster vectors affinely span the latent space"
UNIFORM = "labels are uniform"
VMF = "latents are von Mises-Fisher around their cluster vector, one concentration"
PURE = "one cluster vector per class, no noise in labels"
INJECTIVE = "the generator is continuous and injective"
WIDTH = "the representation has as many dimensions as the latents"


def broken(world: ClusterWorld, generator: torch.Generator, *, dim: int | None = None) -> set[str]:
    checks = check_assumptions(world, dim=dim, generator=generator)
    assert all(check.detail and check.consequence for check in checks)
    return {check.name for check in checks if not check.holds}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, set()),
        ({"labels": 10_240}, set()),
        ({"classes": 6}, set()),
        ({"classes": 5}, {SPAN}),
        ({"labels": 150}, {UNIFORM}),
        ({"label_exponent": 1.0}, {UNIFORM}),
        ({"conditional": "laplace"}, {VMF}),
        ({"kappa": 0.0}, {VMF}),
        ({"conditional": "gaussian"}, {VMF}),
        ({"conditional": "gaussian", "covariance": "per-class"}, {VMF}),
        ({"swapped_share": 0.1, "swapped_classes": 4}, {PURE}),
        ({"label_noise": 0.1}, {PURE}),
        ({"components": 2}, {PURE}),
    ],
    ids=str,
)
def test_each_violation_is_found_and_no_other(
    options: dict[str, Any], expected: set[str], generator: torch.Generator
) -> None:
    assert broken(make_world(**options), generator) == expected


def test_width_and_generator(generator: torch.Generator) -> None:
    world = make_world()
    assert broken(world, generator, dim=4) == {WIDTH}
    assert broken(world, generator, dim=512) == {WIDTH}
    assert broken(make_world(generator="mlp", observation_dim=9), generator) == set()
    world.generator = Collapse(world.dim)
    assert broken(world, generator) == {INJECTIVE}


class Collapse(IdentityGenerator):
    """Forgets the first latent."""

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        return z * torch.tensor([0.0, 1, 1, 1, 1])


def test_collinear_cluster_vectors_span_less(generator: torch.Generator) -> None:
    world = make_world()
    world.class_vectors = world.class_vectors.clone()
    world.class_vectors[:, 0] = 0.3
    assert SPAN in broken(world, generator)


def test_several_concentrations_are_found(generator: torch.Generator) -> None:
    world = make_world()
    spread = torch.linspace(5, 15, 100)
    world.conditional = VonMisesFisher(world.class_vectors, concentration=spread)
    assert broken(world, generator) == {VMF}


def test_one_covariance_differs_from_several_in_what_follows(generator: torch.Generator) -> None:
    shared, several = (
        check_assumptions(make_world(conditional="gaussian", covariance=kind), generator=generator)
        for kind in ("shared", "per-class")
    )
    assert "one more dimension" in next(c.consequence for c in shared if c.name == VMF)
    assert "cannot be perfect" in next(c.consequence for c in several if c.name == VMF)


def test_wrong_width_is_named(generator: torch.Generator) -> None:
    with pytest.raises(InputError, match="dim must be"):
        check_assumptions(make_world(), dim=0, generator=generator)
