import numpy as np
import pytest
from tests.disentanglement.codes import generator, grid, noise, perfect

from identikit.core.errors import InputError
from identikit.disentanglement import beta_vae
from identikit.disentanglement.interventions import Interventions

LEVELS = grid()
FEW = {"points": 1000, "fresh": 500, "batch": 32}


def test_a_perfect_code_scores_1_and_keeps_still() -> None:
    found = beta_vae(perfect(LEVELS), LEVELS, generator=generator(), **FEW)
    assert found.score == 1
    np.testing.assert_allclose(np.diag(found.distance), 0, atol=1e-6)
    assert found.distance.sum() > 6
    assert found.chance == pytest.approx(1 / 3)
    assert (found.variant, found.status, found.axis_aligned) == ("table", "ok", True)


def test_duplicated_dead_and_rescaled_codes_still_score_1() -> None:
    code = perfect(LEVELS)
    for codes in (np.tile(code, 2), np.insert(code, 0, 1.0, axis=1), code * [1e6, 1, 1e-6] + 1e4):
        assert beta_vae(codes, LEVELS, generator=generator(), **FEW).score == 1


def test_noise_and_dead_codes_score_chance() -> None:
    for codes in (noise(1200), np.ones((1200, 2))):
        found = beta_vae(codes, LEVELS, generator=generator(), **FEW)
        assert found.score == pytest.approx(1 / 3, abs=0.08)


def test_a_rotation_by_equal_shares_scores_chance_by_design() -> None:
    levels = grid((5, 5), copies=20)
    codes = perfect(levels) @ np.array([[1, 1], [-1, 1]]) / 2**0.5
    found = beta_vae(codes, levels, generator=generator(), **FEW)
    assert found.score == pytest.approx(0.5, abs=0.08)


def test_distances_are_the_means_over_pairs() -> None:
    code = perfect(LEVELS) + 0.5 * noise(1200)
    code = (code - code.mean(axis=0)) / code.std(axis=0)
    found = beta_vae(code, LEVELS, generator=generator(), **FEW)
    for j, z in enumerate(LEVELS.T):
        gaps = [np.abs(code[z == v][:, None] - code[z == v]).sum((0, 1)) for v in np.unique(z)]
        pairs = sum(n * (n - 1) for n in np.bincount(z))
        np.testing.assert_allclose(found.distance[j], sum(gaps) / pairs, rtol=0.05)


def test_partners_share_the_level_and_are_never_the_row_itself() -> None:
    draws = Interventions(LEVELS, generator=generator())
    for j in range(3):
        one = draws.anchors(j, 5000)
        other = draws.others(j, one)
        assert (LEVELS[one, j] == LEVELS[other, j]).all()
        assert (one != other).all()
        assert len(np.unique(one)) > 1100
        assert len(np.unique(other)) > 1100


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="two or more"):
        beta_vae(noise(9), np.arange(9) // 3, generator=generator())
    with pytest.raises(InputError, match="positive"):
        beta_vae(noise(9), np.arange(9) // 3, generator=generator(), points=0)
