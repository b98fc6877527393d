import numpy as np
import pytest
from sklearn.metrics import mutual_info_score
from tests.disentanglement.codes import grid, noise, perfect, rotated

from identikit.core.errors import InputError
from identikit.disentanglement import modularity

LEVELS = grid()


def test_a_perfect_code_scores_1_with_duplicates_and_with_silent_codes() -> None:
    code = perfect(LEVELS)
    assert modularity(code, LEVELS).score == pytest.approx(1, abs=1e-4)
    assert modularity(np.tile(code, 2), LEVELS).score == pytest.approx(1, abs=1e-4)
    silent = np.concatenate([np.ones((len(code), 1)), noise(len(code), 2), code], axis=1)
    found = modularity(silent, LEVELS)
    assert found.score == pytest.approx(1, abs=1e-4)
    assert found.status == "3 of 6 codes tell nothing of any factor"
    assert (found.per_code[:3] == 0).all()


def test_a_rotated_perfect_code_scores_low_by_design() -> None:
    found = modularity(rotated(perfect(LEVELS)), LEVELS)
    assert found.score < 0.6
    assert found.axis_aligned


def test_codes_that_tell_nothing_score_0() -> None:
    found = modularity(noise(len(LEVELS)), LEVELS)
    assert found.score == 0
    assert found.status == "3 of 3 codes tell nothing of any factor"


def test_the_counted_variant_is_the_plain_formula_over_all_codes_but_dead_ones() -> None:
    codes = np.insert(perfect(LEVELS) + 0.7 * noise(len(LEVELS)), 1, 2.0, axis=1)
    bins = [np.digitize(c, np.linspace(c.min(), c.max(), 21)[:-1]) for c in codes.T if np.ptp(c)]
    nats = np.array([[mutual_info_score(z, b) for z in LEVELS.T] for b in bins])
    ordered = np.sort(np.square(nats), axis=1)
    each = 1 - ordered[:, :-1].sum(axis=1) / ordered[:, -1] / 2
    found = modularity(codes, LEVELS, variant="equal-width-20")
    assert found.score == pytest.approx(each.sum() / 4)  # there the dead code counts as 0


def test_one_factor_is_refused() -> None:
    with pytest.raises(InputError, match="two or more"):
        modularity(noise(100), np.arange(100) % 4)
