"""Superposed factors: how many are there, which together, how large, and along which directions."""

from typing import Any

import pytest
import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.linalg import least_squares, r2_score
from identikit.core.randomness import stream
from identikit.worlds.superposition import EXPOSURE, GROUP, SIDE, Superposition

K, D, N = 12, 6, 4000


def drawn(held_out: bool = False, **options: Any) -> Tensor:
    world = Superposition(**{"factors": K, "dim": D, "active": 3} | options)
    return world.draw_factors(N, held_out=held_out, generator=stream(0, "factors"))


def test_as_many_factors_are_there_as_was_asked_for() -> None:
    exact, average = drawn() > 0, drawn(exact=False, active=1.5) > 0
    assert (exact.sum(dim=1) == 3).all()
    assert average.sum(dim=1).double().mean().item() == pytest.approx(1.5, abs=0.06)
    for there, share in ((exact, 3 / K), (average, 1.5 / K)):
        assert (there.double().mean(dim=0) - share).abs().max() < 0.03
    together = (exact[:, 0] & exact[:, 1]).double().mean().item()
    assert together == pytest.approx(3 * 2 / (K * (K - 1)), abs=0.015)


def test_factors_of_a_group_are_rather_there_together() -> None:
    there = (drawn(correlation=0.8) > 0).double()
    pairs = there.T @ there / N
    assert pairs[0, 1] > 3 * pairs[0, GROUP]
    assert (there.mean(dim=0) - 3 / K).abs().max() < 0.03


def test_halves_meet_only_where_they_are_held_out() -> None:
    for active in (2, 3):
        sides = [
            torch.stack([z[:, : K // 2], z[:, K // 2 :]]).gt(0).sum(dim=2)
            for z in (drawn(active=active, halves=True), drawn(True, active=active, halves=True))
        ]
        assert (sides[0].amax(dim=0) == active).all()
        assert (sides[1].amin(dim=0) == active // 2).all()
        for side in sides:
            assert (side.sum(dim=0) == active).all()
            assert side[0].double().mean().item() == pytest.approx(active / 2, abs=0.06)


def test_directions_have_norm_one_and_the_coherence_asked_for() -> None:
    for coherence in (0.0, 0.4):
        world = Superposition(factors=200, dim=50, active=2, coherence=coherence)
        cosines = world.atoms @ world.atoms.T
        assert (cosines.diagonal() - 1).abs().max() < 1e-5
        off = (cosines.sum() - 200) / (200 * 199)
        assert float(off) == pytest.approx(coherence, abs=0.03)


def test_sizes_follow_importance_and_observations_are_sums() -> None:
    world = Superposition(factors=K, dim=D, active=3, importance=1.0)
    sample = world.sample(N, generator=stream(0, "sample"))
    largest = sample.z.amax(dim=0) * torch.arange(1, K + 1)
    assert ((largest > 1.4) & (largest <= 1.5)).all()
    torch.testing.assert_close(sample.x, sample.z @ world.atoms)


def test_lights_saturate_together_and_their_image_still_tells_every_factor() -> None:
    world = Superposition(factors=K, dim=None, active=3, seed=1)
    sample = world.sample(N, generator=stream(0, "sample"))
    assert sample.x.shape == (N, 1, SIDE, SIDE)
    assert sample.x.amin() >= 0
    assert sample.x.amax() <= 1
    alone = Superposition(factors=K, dim=None, active=1, seed=1)
    one = alone.sample(N, generator=stream(0, "sample"))
    named = one.z.argmax(dim=1)
    light = -torch.log1p(-one.x.double().flatten(1)) / EXPOSURE / one.z.amax(dim=1)[:, None]
    dark = one.x.flatten(1) < 0.9  # where float32 still tells 1 - x
    torch.testing.assert_close(light[dark], world.atoms.double()[named][dark], rtol=1e-4, atol=1e-5)
    # of two lights, what is left dark is the product of what each leaves
    pair = sample.z[:1].double()
    left = torch.exp(-EXPOSURE * pair.T * world.atoms.double()).prod(dim=0)
    torch.testing.assert_close(1 - sample.x[0].double().flatten(), left, rtol=1e-4, atol=1e-6)
    # a solve in logarithms gives all factors back, the best linear map does not
    small = sample.z.double() / 20
    shown = -torch.expm1(-EXPOSURE * small @ world.atoms.double())
    back = torch.linalg.lstsq(world.atoms.double().T, -torch.log1p(-shown).T / EXPOSURE).solution
    torch.testing.assert_close(back.T, small, rtol=1e-6, atol=1e-9)
    z, x = sample.z.double(), sample.x.double().flatten(1)
    linear = least_squares(z, x)
    assert r2_score(linear.predict(z), x).mean() < 0.95


def test_labels_name_factors_that_are_there() -> None:
    world = Superposition(factors=K, dim=D, active=1)
    sample = world.sample(N, generator=stream(0, "sample"))
    named = sample.z.gather(1, sample.label[:, None]) > 0
    other = torch.exp(5 * sample.z).sum(dim=1) - torch.exp(5 * sample.z.amax(dim=1))
    chance = 1 - (other / torch.exp(5 * sample.z).sum(dim=1)).mean()
    assert named.double().mean().item() == pytest.approx(float(chance), abs=0.02)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"active": 13}, "active must be a whole number from 1 to 12"),
        ({"active": 1.5}, "active must be a whole number from 1 to 12"),
        ({"active": 0.5, "exact": False}, "active must be from 1 to 12"),
        ({"active": 7, "halves": True}, "a whole number from 1 to 6"),
        ({"active": 1, "halves": True}, "needs exact and active of 2 at least"),
        ({"correlation": 1.0}, "correlation must be from 0 to below 1; got 1"),
        ({"dim": None, "coherence": 0.1}, "lights have no coherence; got 0.1"),
        ({"coherence": -0.1}, "coherence must be from 0 to below 1"),
    ],
)
def test_a_world_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        drawn(**options)


def test_a_world_without_halves_holds_nothing_out() -> None:
    with pytest.raises(InputError, match="only a world of halves"):
        drawn(True)
