import numpy as np
import pytest
from tests.disentanglement.codes import generator, grid, noise, perfect, rotated

from identikit.core.errors import InputError
from identikit.disentanglement import factor_vae

LEVELS = grid()
FEW = {"votes": 1000, "fresh": 1000, "batch": 32}


def test_a_perfect_code_scores_1_with_duplicates_too() -> None:
    found = factor_vae(perfect(LEVELS), LEVELS, generator=generator(), **FEW)
    assert found.score == 1
    assert found.chance == pytest.approx(1 / 3)
    assert (found.votes.argmax(axis=0) == np.arange(3)).all()
    assert (found.variant, found.status, found.axis_aligned) == ("table", "ok", True)
    doubled = np.tile(perfect(LEVELS), 2)
    assert factor_vae(doubled, LEVELS, generator=generator(), **FEW).score == 1


def test_scale_does_not_matter() -> None:
    codes = (perfect(LEVELS) + 0.3 * noise(1200)) * [1, 1e6, 1e-6] + [0, 1e4, 1]
    assert factor_vae(codes, LEVELS, generator=generator(), **FEW).score > 0.99


@pytest.mark.parametrize("place", [0, 3])
def test_dead_codes_do_not_win_the_minimum(place: int) -> None:
    codes = np.insert(perfect(LEVELS), place, 0.0, axis=1)
    found = factor_vae(codes, LEVELS, generator=generator(), **FEW)
    assert found.score == 1
    assert (found.votes[:, place] == 0).all()
    assert found.status == "1 of 4 codes do not vary"


def test_noise_scores_chance_and_only_dead_codes_score_0() -> None:
    found = factor_vae(noise(1200), LEVELS, generator=generator(), **FEW)
    assert found.score == pytest.approx(1 / 3, abs=0.06)
    assert factor_vae(np.ones((1200, 2)), LEVELS, generator=generator(), **FEW).score == 0


def test_a_rotation_by_equal_shares_scores_low_by_design() -> None:
    levels = grid((5, 5), copies=20)
    codes = perfect(levels) @ np.array([[1, 1], [-1, 1]]) / 2**0.5
    found = factor_vae(codes, levels, generator=generator(), **FEW)
    assert found.score == pytest.approx(0.5, abs=0.06)
    assert factor_vae(rotated(perfect(LEVELS)), LEVELS, generator=generator(), **FEW).score < 0.9


def test_votes_are_those_of_variances_row_by_row() -> None:
    codes = perfect(LEVELS) + 0.8 * noise(1200)
    votes = np.zeros((3, 3))
    rng = np.random.default_rng(0)
    for _ in range(3000):
        j = rng.integers(3)
        same = np.flatnonzero(LEVELS[:, j] == LEVELS[rng.integers(1200), j])
        local = codes[rng.choice(same, size=8)].var(axis=0) / codes.var(axis=0)
        votes[j, local.argmin()] += 1
    found = factor_vae(codes, LEVELS, generator=generator(), votes=30_000, fresh=100, batch=8)
    shares, own = (v / v.sum(axis=1, keepdims=True) for v in (found.votes, votes))
    np.testing.assert_allclose(shares, own, atol=0.05)


def test_levels_with_one_row_are_left_out_and_a_factor_of_such_is_refused() -> None:
    rare = np.concatenate([LEVELS, [[9, 0, 0]]])
    codes = np.concatenate([perfect(LEVELS), [[50.0, 0, 0]]])
    assert factor_vae(codes, rare, generator=generator(), **FEW).score > 0.99
    with pytest.raises(InputError, match="levels in 9 samples"):
        factor_vae(noise(9), np.arange(9), generator=generator())
    with pytest.raises(InputError, match="two rows"):
        factor_vae(noise(9), np.arange(9) // 3, generator=generator(), batch=1)
