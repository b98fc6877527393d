"""Boosted trees against scikit-learn's, which publish importances."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from identikit.disentanglement.boosting import boost


def case(seed: int = 0, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Four codes of 250 values; levels that depend on two of them and on chance."""
    rng = np.random.default_rng(seed)
    x = np.stack([rng.permutation(np.arange(n) // 2) for _ in range(4)], axis=1)
    z = x[:, 0] + 0.3 * x[:, 1] + rng.normal(scale=20, size=n)
    return x, np.stack([np.digitize(z, [60, 120, 200]), z > 150], axis=1).astype(float)


def test_importances_and_log_odds_are_those_of_scikit_learn() -> None:
    x, y = case()
    boosted = boost(x[:400], y[:400], test=x[400:])
    for j in range(2):
        model = GradientBoostingClassifier(random_state=0).fit(x[:400], y[:400, j])
        np.testing.assert_allclose(
            boosted.importance[:, j], model.feature_importances_, atol=5e-3
        )  # its random tie-breaks alone move it by so much
        named = model.classes_[boosted.held_out[j].argmax(axis=1)]
        assert np.mean(named == model.predict(x[400:])) > 0.95


def test_where_no_splits_tie_it_is_exact() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 9, size=3000) for _ in range(3)], axis=1)
    z = x[:, 0] + 0.4 * x[:, 1] + rng.normal(size=3000)
    boosted = boost(x, z[:, None], test=x, numbers=True)
    model = GradientBoostingRegressor(random_state=0).fit(x, z)
    np.testing.assert_allclose(boosted.importance[:, 0], model.feature_importances_, atol=1e-10)
    np.testing.assert_allclose(boosted.held_out[0][:, 0], model.predict(x), atol=1e-10)


def test_the_levels_of_a_perfect_code_bring_all_gain() -> None:
    x = np.random.default_rng(0).integers(0, 5, size=(400, 3))
    boosted = boost(x, x[:, :2].astype(float), test=x)
    np.testing.assert_allclose(boosted.importance, np.eye(3)[:, :2], atol=1e-12)
    for j, odds in enumerate(boosted.held_out):
        assert (odds.argmax(axis=1) == x[:, j]).all()


@pytest.mark.parametrize("copies", [2, 3])
def test_codes_that_tie_share_the_gain(copies: int) -> None:
    x = np.random.default_rng(0).integers(0, 5, size=(400, 1))
    boosted = boost(np.tile(x, copies), x.astype(float), test=np.tile(x, copies))
    np.testing.assert_allclose(boosted.importance, np.full((copies, 1), 1 / copies), atol=1e-12)
