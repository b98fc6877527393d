import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression
from tests.disentanglement.codes import noise

from identikit.core.errors import InputError
from identikit.disentanglement import tmex

N = 2_000
Z = noise(N, 4) @ (np.eye(4) + 0.5 * np.eye(4, k=1))
"""Each factor depends on its neighbours."""


def test_p_values_are_those_of_the_covariance_of_residuals() -> None:
    codes = Z @ noise(4, 3, seed=1) + noise(N, 3, seed=2)
    found = tmex(codes, Z)
    for i, j in np.ndindex(3, 4):
        others = np.delete(Z, j, axis=1)
        r, s = (
            y - LinearRegression().fit(others, y).predict(others) for y in (codes[:, i], Z[:, j])
        )
        t = N**0.5 * np.mean(r * s) / np.std(r * s)
        assert found.p_value[i, j] == pytest.approx(2 * norm.sf(abs(t)), abs=1e-9)


def test_exact_codes_of_dependent_factors_have_no_wrong_entry_in_any_order() -> None:
    found = tmex(-2 * Z[:, [2, 0, 3, 1]] + 1, Z)
    assert found.errors == 0
    assert (found.meant == np.eye(4)[[2, 0, 3, 1]]).all()
    assert tmex(-2 * Z[:, [2, 0, 3, 1]], Z, meant=np.eye(4)).errors == 8


def test_a_perfect_code_with_noise_has_as_many_wrong_entries_as_the_level_allows() -> None:
    wrong = [
        tmex(z + 0.3 * noise(300, 4, seed=s + 99), z, meant=np.eye(4)).errors
        for s in range(100)
        for z in [noise(300, 4, seed=s)]
    ]
    assert 0.4 < np.mean(wrong) < 0.8  # 12 entries at 0.05 each; standard error 0.08


def test_mixed_codes_measure_all_and_noise_measures_none() -> None:
    mixed = tmex(Z @ noise(4, 4, seed=1), Z)
    assert mixed.measured.all()
    assert mixed.errors == 12
    nothing = tmex(noise(N, 4, seed=5), Z, meant=np.eye(4))
    assert 4 <= nothing.errors <= 7
    assert nothing.score == 1 - nothing.errors / 4


def test_duplicates_are_exclusive_and_a_lost_factor_is_nobodys_entry() -> None:
    assert tmex(np.tile(Z, 2), Z).errors == 0
    assert tmex(Z[:, :3], Z).errors == 0


def test_a_factor_that_the_others_determine_is_shown_of_no_code() -> None:
    z = np.column_stack([noise(N, 2), noise(N, 2).sum(axis=1)])
    found = tmex(z, z, meant=np.eye(3))
    assert not found.measured.any()
    assert found.errors == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factors": Z[:, 0]}, "two or more"),
        ({"meant": np.eye(3)}, "4 codes and 4 factors"),
        ({"meant": 2 * np.eye(4)}, "yes or no"),
        ({"level": 1.0}, "level must lie"),
    ],
)
def test_bad_input_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tmex(**({"codes": Z, "factors": Z} | change))  # type: ignore[arg-type]
