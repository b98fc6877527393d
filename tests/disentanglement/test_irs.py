import numpy as np
import pytest
import torch
from tests.disentanglement.codes import generator, grid, noise, perfect, rotated

from identikit.core.errors import InputError
from identikit.disentanglement import irs

LEVELS = grid()


def test_a_perfect_code_does_not_move_while_its_factor_stays() -> None:
    found = irs(perfect(LEVELS), LEVELS, generator=generator())
    assert found.score == pytest.approx(1)
    assert (found.parent == np.arange(3)).all()
    assert (found.variant, found.status) == ("table, quantile 1", "ok")
    assert found.axis_aligned
    doubled = irs(np.tile(perfect(LEVELS), 2), LEVELS, generator=generator())
    assert doubled.score == pytest.approx(1)


def test_a_rotated_perfect_code_scores_low_by_design() -> None:
    assert irs(rotated(perfect(LEVELS)), LEVELS, generator=generator()).score < 0.6


@pytest.mark.parametrize("quantile", [1.0, 0.99])
def test_noise_scores_what_chance_scores_and_that_is_not_0(quantile: float) -> None:
    found = irs(noise(len(LEVELS)), LEVELS, generator=generator(), quantile=quantile)
    assert found.chance is not None
    assert found.score == pytest.approx(found.chance, abs=0.05)
    assert found.chance > 0.05


def uneven() -> np.ndarray:
    """Levels of any number of rows, of factors that depend on each other: some never meet."""
    rng = np.random.default_rng(2)
    a, b, c, d = (rng.integers(0, count, 2000) for count in (3, 4, 5, 40))
    return np.stack([a, np.where(a == 0, b % 2, b), c * c, d], axis=1)


@pytest.mark.parametrize("quantile", [1.0, 0.99, 0.9])
@pytest.mark.parametrize("levels", [LEVELS, uneven()], ids=["grid", "uneven"])
def test_the_definition_row_by_row(levels: np.ndarray, quantile: float) -> None:
    codes = perfect(levels)[:, :3] * [1, 5, 0.1] + noise(len(levels))
    codes = np.concatenate([codes, codes[:, :1].round()], axis=1)
    robust = np.zeros((4, levels.shape[1]))
    farthest = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    for i, code in enumerate(codes.T):
        for j, z in enumerate(levels.T):
            moved = [
                np.quantile(np.abs(code[z == v] - code[z == v].mean()), quantile)
                for v in np.unique(z)
            ]
            robust[i, j] = 1 - np.mean(moved) / farthest[i]
    found = irs(codes, levels, generator=generator(), quantile=quantile)
    np.testing.assert_allclose(found.robustness, robust, atol=1e-12)
    assert found.score == pytest.approx(np.average(robust.max(axis=1), weights=farthest))


@pytest.mark.parametrize("quantile", [1.0, 0.99])
def test_chance_is_the_score_of_shuffled_levels(quantile: float) -> None:
    levels = uneven()
    codes = perfect(levels) + noise(len(levels), 4)
    given = levels[torch.randperm(len(levels), generator=generator()).numpy()]
    alone = irs(codes, given, quantile=quantile)
    chance = irs(codes, levels, generator=generator(), quantile=quantile).chance
    assert chance == pytest.approx(alone.score, abs=1e-12)
    assert alone.chance is None


def test_dead_codes_weigh_nothing() -> None:
    code = perfect(LEVELS) + 0.3 * noise(len(LEVELS))
    found = irs(np.insert(code, 0, 3.0, axis=1), LEVELS, generator=generator())
    assert found.score == pytest.approx(irs(code, LEVELS, generator=generator()).score)
    assert found.status == "1 of 4 codes do not vary"
    assert irs(np.ones((1200, 2)), LEVELS, generator=generator()).score == 0


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="quantile"):
        irs(noise(9), np.arange(9) // 3, generator=generator(), quantile=0.0)
    with pytest.raises(InputError, match="9 levels in 9 samples"):
        irs(noise(9), np.arange(9), generator=generator())
