import numpy as np
import pytest
import torch
from scipy.stats import chi2, chi2_contingency
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score
from tests.disentanglement.codes import grid, noise, perfect, rotated

from identikit.core.errors import InputError
from identikit.disentanglement import mig
from identikit.disentanglement.information import (
    _independence,
    contingency,
    discretise,
    information,
)
from identikit.disentanglement.table import as_table, cut

LEVELS = grid()
PUBLISHED = {"dSprites": (3, 6, 40, 32, 32), "Cars3D": (4, 24, 183), "MPI3D": (6, 6, 2, 40, 40)}


def test_a_perfect_code_scores_1() -> None:
    found = mig(perfect(LEVELS), LEVELS)
    assert found.score == pytest.approx(1)
    assert (found.best_code == np.arange(3)).all()
    assert found.axis_aligned
    assert (found.variant, found.status) == ("adjusted", "ok")


@pytest.mark.parametrize("sizes", PUBLISHED.values(), ids=PUBLISHED)
def test_many_levels_do_not_cost_a_perfect_code_anything(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    levels = np.stack([rng.permutation(np.arange(7320) % size) for size in sizes], axis=1)
    assert mig(perfect(levels), levels).score > 0.985
    assert mig(perfect(levels), levels, variant="equal-width-20").score < 0.96


def test_a_rotated_a_duplicated_and_a_random_code_score_about_0() -> None:
    code = perfect(LEVELS)
    assert mig(rotated(code), LEVELS).score < 0.15
    assert mig(np.tile(code, 2), LEVELS).score == pytest.approx(0, abs=1e-12)
    assert mig(noise(len(LEVELS)), LEVELS).score < 0.02


def test_dead_codes_change_nothing() -> None:
    code = perfect(LEVELS) + 0.3 * noise(len(LEVELS))
    found = mig(np.insert(code, 0, 1.0, axis=1), LEVELS)
    assert found.score == pytest.approx(mig(code, LEVELS).score, abs=1e-12)
    assert found.status == "1 of 4 codes do not vary"
    assert (found.share[0] == 0).all()


def test_a_random_code_explains_nothing_of_183_levels() -> None:
    rng = np.random.default_rng(0)
    table = as_table(rng.normal(size=(1000, 20)), rng.permutation(np.arange(1000) % 183))
    counted = information(table, variant="equal-width-20").share.mean()
    assert counted > 0.15
    assert information(table, variant="adjusted").share.mean() < 0.01


def test_shares_are_scikit_learns() -> None:
    codes = perfect(LEVELS) + 0.7 * noise(len(LEVELS))
    table = as_table(codes, LEVELS)
    found, bins = information(table, variant="adjusted"), discretise(table)
    for i in range(3):
        for j in range(3):
            z = LEVELS[:, j]
            entropy, code_entropy = (
                mutual_info_score(z, z),
                mutual_info_score(bins[:, i], bins[:, i]),
            )
            nats = mutual_info_score(z, bins[:, i])
            adjusted = adjusted_mutual_info_score(z, bins[:, i], average_method="arithmetic")
            mean = (entropy + code_entropy) / 2
            expected = (nats - adjusted * mean) / (1 - adjusted)
            share = max(0, (nats - expected) / (entropy - expected))
            assert found.share[i, j] == pytest.approx(share, abs=1e-9)


def test_the_counted_variant_is_the_plain_estimate() -> None:
    codes = perfect(LEVELS) + 0.7 * noise(len(LEVELS))
    edges = [np.linspace(c.min(), c.max(), 21)[:-1] for c in codes.T]
    bins = np.stack([np.digitize(c, e) for c, e in zip(codes.T, edges, strict=True)], axis=1)
    nats = np.array([[mutual_info_score(z, b) for z in LEVELS.T] for b in bins.T])
    entropy = np.array([mutual_info_score(z, z) for z in LEVELS.T])
    ordered = np.sort(nats / entropy, axis=0)
    expected = (ordered[-1] - ordered[-2]).mean()
    assert mig(codes, LEVELS, variant="equal-width-20").score == pytest.approx(expected)


def test_a_monotone_map_of_a_code_and_an_outlier_change_nothing() -> None:
    code = perfect(LEVELS) + 0.3 * noise(len(LEVELS))
    assert mig(np.exp(2 * code), LEVELS).score == pytest.approx(mig(code, LEVELS).score)
    hit = code.copy()
    hit[0] = 1e6
    assert mig(hit, LEVELS).score == pytest.approx(mig(code, LEVELS).score, abs=0.01)
    assert mig(hit, LEVELS, variant="equal-width-20").score < 0.01


def test_one_code_is_compared_with_nothing() -> None:
    assert mig(perfect(LEVELS)[:, :1], LEVELS[:, :1]).score == pytest.approx(1)


def test_continuous_factors_are_cut_on_demand() -> None:
    z = noise(2000)
    assert mig(z, z, factor_bins=20).score > 0.98
    with pytest.raises(InputError, match="2000 levels in 2000 samples"):
        mig(z, z)
    with pytest.raises(InputError, match="factor_bins must lie between"):
        mig(z, z, factor_bins=1)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="constant"):
        mig(noise(10), np.ones(10))
    with pytest.raises(InputError, match="got 10 and 9 rows"):
        mig(noise(10), np.arange(9) // 3)
    with pytest.raises(InputError, match="NaN"):
        mig(noise(10) * np.nan, np.arange(10) // 3)
    with pytest.raises(InputError, match="variant"):
        mig(noise(10), np.arange(10) // 3, variant="plain")


def test_torch_in_half_precision_will_do() -> None:
    code = torch.from_numpy(perfect(LEVELS)).half()
    assert mig(code, torch.from_numpy(LEVELS)).score == pytest.approx(1)


def test_cuts_hold_equal_values_together_and_equal_shares_apart() -> None:
    column = np.concatenate([np.zeros(30), np.arange(1, 71)])[:, None]
    binned = cut(column, bins=10, keep=5)[:, 0]
    assert (binned[:30] == binned[0]).all()
    assert (np.bincount(binned)[3:] == 10).all()
    assert (cut(column, bins=10, keep=71)[:, 0] == column[:, 0]).all()


def test_codes_are_tested_as_often_as_said_where_cells_have_few_rows() -> None:
    rng = np.random.default_rng(0)
    levels = np.repeat(np.arange(20), 50)
    some = np.stack([rng.integers(0, 6, 1000), np.zeros(1000, int), levels % 7], axis=1)
    counts = contingency(some, levels)
    freedom, statistic = 5 * 19, chi2_contingency(counts[0, :6], correction=False).statistic
    p = _independence(counts)
    assert p[0] == pytest.approx(chi2.sf(statistic * 999 / 1000, freedom))
    assert p[1] == 1  # one bin
    assert p[2] < 1e-12
    noise = np.stack([rng.permutation(levels) for _ in range(4000)], axis=1)
    share = (_independence(contingency(noise, levels)) < 0.01).mean()
    assert share == pytest.approx(0.01, abs=0.004)  # of a G-test about the mean 0.016
