"""Promises: what holds in which world, and what the optimum recovers where nothing holds."""

import pytest

from identikit.core.randomness import stream
from identikit.theory.promises import (
    UpTo,
    cross_entropy_promise,
    gcl_promise,
    sigreg_promise,
    vicreg_promise,
)
from identikit.worlds.config import WorldConfig
from identikit.worlds.pairs import NormalPairs, UniformPairs
from identikit.worlds.segments import Segments
from identikit.worlds.world import ClusterWorld

SPHERE = ClusterWorld(WorldConfig(dim=3, classes=20))
FIRST, SECOND = (Segments(dim=3, segments=20, order=order) for order in (1, 2))


@pytest.mark.parametrize(
    ("world", "with_bias", "without"), [(SPHERE, 3, 3), (FIRST, 3, 4), (SECOND, 6, 7)]
)
def test_cross_entropy_is_affine_in_a_family_and_needs_a_dimension_for_its_constants(
    world: ClusterWorld, with_bias: int, without: int
) -> None:
    for bias, dim in ((True, with_bias), (False, without)):
        promise = cross_entropy_promise(world, bias=bias, generator=stream(0, "z"))
        assert promise.dim == dim
        assert promise.predicted == pytest.approx(1)
        assert promise.up_to is UpTo.AFFINE
        assert all(check.holds for check in promise.assumptions)


def test_a_laplace_world_is_not_affine() -> None:
    world = ClusterWorld(WorldConfig(dim=2, classes=6, conditional="laplace"))
    promise = cross_entropy_promise(world, bias=True, generator=stream(0, "z"))
    assert not promise.assumptions[0].holds


def test_gcl_needs_independence_variety_and_order_two() -> None:
    failing = {
        name: [check.holds for check in gcl_promise(world, generator=stream(0, "z")).assumptions]
        for name, world in {
            "second": SECOND,
            "first": FIRST,
            "sphere": SPHERE,
            "few": Segments(dim=3, segments=6, order=2),
        }.items()
    }
    assert failing == {
        "second": [True, True, True],
        "first": [True, True, False],
        "sphere": [False, True, False],
        "few": [True, False, False],
    }
    assert gcl_promise(SECOND, generator=stream(0, "z")).predicted == 1
    assert gcl_promise(FIRST, generator=stream(0, "z")).predicted is None


def test_pairs_are_recovered_where_their_theorem_holds() -> None:
    normal, uniform = NormalPairs(dim=3, correlation=0.8), UniformPairs(dim=3, kappa=5)
    assert sigreg_promise(normal).predicted == 1
    assert sigreg_promise(uniform).predicted is None
    for world, holds in ((normal, True), (uniform, True), (FIRST, False)):
        promise = vicreg_promise(world, generator=stream(0, "z"))
        assert promise.assumptions[0].holds == holds
        assert (promise.up_to is UpTo.ROTATION) == holds
        assert promise.predicted is not None
        assert (promise.predicted > 0.999) == holds
