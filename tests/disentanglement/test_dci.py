import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LassoCV
from tests.disentanglement.codes import generator, grid, noise, perfect, rotated

from identikit.core.errors import InputError
from identikit.disentanglement import dci
from identikit.disentanglement.dci import from_importance
from identikit.disentanglement.table import split_rows

LEVELS = grid()
VARIANTS = ["trees", "regression-trees", "lasso"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_perfect_code_scores_1_and_says_that_it_is_axis_aligned(variant: str) -> None:
    found = dci(perfect(LEVELS), LEVELS, generator=generator(), variant=variant)
    assert found.disentanglement > 0.99
    assert found.completeness > 0.99
    assert found.informativeness > 0.99
    assert (found.importance.argmax(axis=0) == np.arange(3)).all()
    assert (found.variant, found.status, found.axis_aligned) == (variant, "ok", True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_rotated_perfect_code_scores_low_by_design(variant: str) -> None:
    found = dci(rotated(perfect(LEVELS)), LEVELS, generator=generator(), variant=variant)
    assert found.disentanglement < 0.4
    assert found.completeness < 0.4
    assert found.informativeness > (0.99 if variant == "lasso" else 0.8)


def test_the_weights_of_a_rotation_give_the_entropies_of_its_rows() -> None:
    found = dci(rotated(perfect(LEVELS)), LEVELS, generator=generator(), variant="lasso")
    share = np.array([1, 2, 2]) / 5  # of absolute weights 1/3, 2/3, 2/3
    purity = 1 + (share * np.log(share)).sum() / np.log(3)
    assert found.disentanglement == pytest.approx(purity, abs=5e-3)
    assert found.completeness == pytest.approx(purity, abs=5e-3)


def test_the_lasso_is_scikit_learns() -> None:
    """With a dead code, and two that are nearly the same."""
    rng = np.random.default_rng(0)
    z, h = rng.normal(size=(200, 3)), rng.normal(size=(200, 8))
    h[:, :3] += z
    h[:, 5], h[:, 7] = 0, h[:, 2] + 1e-3 * h[:, 7]
    found = dci(h, z, generator=generator(), variant="lasso")
    train, test = split_rows(200, share=1 / 3, generator=generator())
    unit_h, unit_z = ((a - a[train].mean(0)) / (a[train].std(0) + (a.std(0) == 0)) for a in (h, z))
    for j, target in enumerate(unit_z.T):
        model = LassoCV(cv=5).fit(unit_h[train], target[train])
        weight = np.abs(model.coef_)
        np.testing.assert_allclose(found.importance[:, j], weight / weight.sum(), atol=1e-4)
        assert found.informativeness_per_factor[j] == pytest.approx(
            model.score(unit_h[test], target[test]), abs=1e-3
        )


def test_noise_informs_of_nothing() -> None:
    found = dci(noise(len(LEVELS)), LEVELS, generator=generator())
    assert found.informativeness == pytest.approx(np.mean([1 / 4, 1 / 5, 1 / 6]), abs=0.04)
    assert found.disentanglement < 0.1
    linear = dci(noise(len(LEVELS)), LEVELS, generator=generator(), variant="lasso")
    assert abs(linear.informativeness) < 0.02


def test_duplicates_cost_completeness_alone() -> None:
    codes = np.tile(perfect(LEVELS), 2)
    found = dci(codes, LEVELS, generator=generator())
    assert found.disentanglement > 0.99
    assert found.completeness == pytest.approx(1 - np.log(2) / np.log(6), abs=0.01)


@pytest.mark.parametrize("place", [0, 2, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_dead_codes_cost_nothing_wherever_they_stand(place: int, variant: str) -> None:
    codes = np.insert(perfect(LEVELS), place, 7.0, axis=1)
    found = dci(codes, LEVELS, generator=generator(), variant=variant)
    assert found.disentanglement > 0.99
    assert found.completeness > 0.99
    assert found.code_weight[place] == found.per_code[place] == 0
    assert found.status == "1 of 4 codes do not vary"


def test_the_same_as_scores_from_scikit_learns_importances() -> None:
    codes = (perfect(LEVELS) + 0.5 * noise(len(LEVELS))).round(3)[:1000]
    found = dci(codes, LEVELS[:1000], generator=generator())
    train, _ = split_rows(1000, share=1 / 3, generator=generator())
    models = [GradientBoostingClassifier(random_state=0) for _ in range(3)]
    columns = [
        m.fit(codes[train], z).feature_importances_
        for m, z in zip(models, LEVELS[train].T, strict=True)
    ]
    importance = np.stack(columns, axis=1)
    reference = from_importance(importance, informativeness=np.ones(3), variant="trees")
    assert found.disentanglement == pytest.approx(reference.disentanglement, abs=0.005)
    assert found.completeness == pytest.approx(reference.completeness, abs=0.005)


def test_only_dead_codes_score_0() -> None:
    for variant in VARIANTS:
        found = dci(np.ones((1200, 2)), LEVELS, generator=generator(), variant=variant)
        assert found.disentanglement == found.completeness == 0
        assert "no code helps to predict 3 of 3 factors" in found.status


def test_known_importances() -> None:
    even = np.full((2, 2), 0.5)
    found = from_importance(even, informativeness=np.ones(2), variant="any")
    assert found.disentanglement == found.completeness == pytest.approx(0)
    half = np.array([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]])
    found = from_importance(half, informativeness=np.ones(2), variant="any")
    assert found.disentanglement == pytest.approx(1)
    assert found.completeness == pytest.approx((1 + 1 - np.log(2) / np.log(3)) / 2)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match=r"factor 1 \(from 0\) is constant"):
        dci(noise(9), np.stack([np.arange(9), np.ones(9)], 1), generator=generator())
    with pytest.raises(InputError, match="factor_bins"):
        dci(noise(9), noise(9), generator=generator())
    with pytest.raises(InputError, match="Did you mean 'trees'"):
        dci(noise(9), noise(9), generator=generator(), variant="tree")
    rare = np.zeros(1200)
    rare[split_rows(1200, share=1 / 3, generator=generator())[1][0]] = 1  # held out
    with pytest.raises(InputError, match="has one level among the 800 rows"):
        dci(noise(1200), rare, generator=generator())
