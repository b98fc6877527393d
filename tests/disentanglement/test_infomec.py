import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, mutual_info_score
from tests.disentanglement.codes import generator, grid, noise, perfect, rotated

from identikit.core.errors import InputError
from identikit.disentanglement import infomec
from identikit.disentanglement.table import split_rows

LEVELS = grid()
N = len(LEVELS)


def test_a_perfect_code_scores_1_with_codes_that_tell_nothing_beside_it() -> None:
    silent = np.concatenate([np.ones((N, 1)), perfect(LEVELS), noise(N, 2)], axis=1)
    found = infomec(silent, LEVELS, generator=generator())
    assert found.modularity == pytest.approx(1, abs=1e-4)
    assert found.compactness == pytest.approx(1, abs=1e-4)
    assert found.explicitness > 0.98
    assert found.active.tolist() == [False, True, True, True, False, False]
    assert found.status == "3 of 6 codes are inactive"


def test_duplicates_are_modular_and_not_compact() -> None:
    found = infomec(np.tile(perfect(LEVELS), 2), LEVELS, generator=generator())
    assert found.modularity == pytest.approx(1, abs=1e-4)
    assert found.compactness == pytest.approx((1 / 2 - 1 / 6) / (1 - 1 / 6), abs=1e-4)


def test_a_rotated_code_is_explicit_and_neither_modular_nor_compact() -> None:
    found = infomec(rotated(perfect(LEVELS)), LEVELS, generator=generator())
    assert found.explicitness > 0.95
    assert max(found.modularity, found.compactness) < 0.6


def test_noise_has_no_active_code_and_scores_0() -> None:
    found = infomec(noise(N), LEVELS, generator=generator())
    assert found.status == "3 of 3 codes are inactive"
    assert (found.modularity, found.compactness) == (0, 0)
    assert found.explicitness < 0.02


def test_one_active_code_is_all_the_compactness_of_its_factor() -> None:
    found = infomec(perfect(LEVELS)[:, [1]], LEVELS, generator=generator())
    assert found.per_factor.tolist() == [0, 1, 0]
    assert found.modularity == 1


def test_the_variant_of_the_authors_is_their_formula() -> None:
    """NaN in theirs where a code tells nothing; their narrow codes do not count."""
    codes = np.column_stack([perfect(LEVELS) + 0.5 * noise(N), 0.01 * noise(N, 1)])
    units = codes / codes.std(axis=0)
    nmi = np.array(
        [
            mutual_info_classif(units, z, n_neighbors=10, random_state=0) / mutual_info_score(z, z)
            for z in LEVELS.T
        ]
    )[:, :3]
    modular = (nmi.max(axis=0) / nmi.sum(axis=0)).mean()
    compact = (nmi.max(axis=1) / nmi.sum(axis=1)).mean()
    saved = [
        1 - log_loss(z, LogisticRegression(C=1e9).fit(units, z).predict_proba(units))
        / mutual_info_score(z, z)
        for z in LEVELS.T
    ]  # fmt: skip
    found = infomec(codes, LEVELS, generator=generator(), variant="nearest-neighbours")
    assert found.modularity == pytest.approx((modular - 1 / 3) / (1 - 1 / 3), abs=1e-9)
    assert found.compactness == pytest.approx((compact - 1 / 3) / (1 - 1 / 3), abs=1e-9)
    assert found.explicitness == pytest.approx(np.mean(saved), abs=2e-3)


def test_explicitness_of_numbers_is_the_held_out_share_of_variance() -> None:
    z = noise(400, 3)
    codes = z @ noise(3, 3, seed=1) + 0.5 * noise(400, 3, seed=2)
    found = infomec(codes, z, generator=generator(), factor_bins=20)
    train, test = split_rows(400, share=1 / 3, generator=generator())
    fit = LinearRegression().fit(codes[train], z[train])
    expected = [
        LinearRegression().fit(codes[train], z[train, j]).score(codes[test], z[test, j])
        for j in range(3)
    ]
    assert fit.score(codes[test], z[test]) == pytest.approx(found.explicitness)
    np.testing.assert_allclose(found.explicitness_per_factor, expected)


def test_a_single_factor_and_an_unknown_variant_are_refused() -> None:
    with pytest.raises(InputError, match="two or more"):
        infomec(noise(100), np.arange(100) % 4, generator=generator())
    with pytest.raises(InputError, match="variant of InfoMEC"):
        infomec(noise(N), LEVELS, generator=generator(), variant="binned")
