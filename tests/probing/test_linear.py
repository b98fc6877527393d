"""Maps and errors from statistics against scikit-learn, which sees the data."""

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold
from tests.cases import rotation
from torch import Tensor

from identikit.probing import linear
from identikit.probing.moments import FoldMoments, Moments
from identikit.statistics.split import Split

PENALTIES = np.logspace(-3, 4, 8)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def case(n: int = 300, d: int = 12, k: int = 3) -> tuple[Tensor, Tensor]:
    h = normal(n, d) @ normal(d, d, seed=1) + 5
    return h, h @ normal(d, k, seed=2) + 3 * normal(n, k, seed=3) - 7


def moments(h: Tensor, y: Tensor) -> Moments:
    rows = torch.arange(len(h))
    return FoldMoments.of(h, y, splits=[Split(train=rows, test=rows)]).train(0)


@pytest.mark.parametrize("intercept", [True, False])
def test_least_squares_agrees_with_scikit_learn(intercept: bool) -> None:
    h, y = case()
    fit = linear.least_squares_from_moments(moments(h, y), intercept=intercept)
    wanted = LinearRegression(fit_intercept=intercept).fit(h.numpy(), y.numpy())
    np.testing.assert_allclose(fit.coefficient.T, wanted.coef_, rtol=1e-8)
    np.testing.assert_allclose(fit.intercept, wanted.intercept_, rtol=1e-8)
    got = linear.r2(moments(h, y), fit.coefficient, fit.intercept)
    judged = r2_score(y, wanted.predict(h.numpy()), multioutput="raw_values")
    np.testing.assert_allclose(got, judged, rtol=1e-8)


def test_a_grid_of_penalties_agrees_with_scikit_learn() -> None:
    h, y = case()
    found, constants = linear.ridge(moments(h, y), penalties=torch.as_tensor(PENALTIES))
    for a, b, penalty in zip(found, constants, PENALTIES, strict=True):
        wanted = Ridge(alpha=penalty, solver="svd").fit(h.numpy(), y.numpy())
        np.testing.assert_allclose(a.T, wanted.coef_, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(b, wanted.intercept_, rtol=1e-8)


def cross_validated(h: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    splits = [
        Split(train=torch.as_tensor(a), test=torch.as_tensor(b)) for a, b in KFold(5).split(h)
    ]
    pairs = FoldMoments.of(h, y, splits=splits).pairs(range(5))
    return linear.cross_validated(pairs, penalties=torch.as_tensor(PENALTIES))


def test_cross_validation_agrees_with_grid_search() -> None:
    h, y = case()
    plain, ridged = cross_validated(h, y)
    for j in range(y.shape[1]):
        search = GridSearchCV(
            Ridge(solver="svd"),
            {"alpha": PENALTIES},
            cv=KFold(5),
            scoring="neg_mean_squared_error",
        ).fit(h.numpy(), y[:, j].numpy())
        wanted = -search.cv_results_["mean_test_score"]  # folds have 60 rows each
        np.testing.assert_allclose(ridged[:, j] / len(h), wanted, rtol=1e-8)
        chosen = RidgeCV(alphas=PENALTIES, cv=KFold(5), scoring="neg_mean_squared_error")
        chosen.fit(h.numpy(), y[:, j].numpy())
        assert PENALTIES[int(ridged[:, j].argmin())] == pytest.approx(chosen.alpha_)
    parts = list(KFold(5).split(h))
    error = sum(
        ((LinearRegression().fit(h[a], y[a]).predict(h[b]) - y[b].numpy()) ** 2).sum(0)
        for a, b in parts
    )
    np.testing.assert_allclose(plain, error, rtol=1e-8)


def test_wide_features_and_few_targets_need_no_eigenvectors() -> None:
    h = normal(300, 60) @ normal(60, 60, seed=1) + 3
    y = normal(300, 2, seed=2)
    penalties = torch.tensor([1e-3, 1.0, 1e3], dtype=torch.float64)
    m = moments(h, y)
    found, constants = linear.ridge(m, penalties=penalties)
    for penalty, a, b in zip(penalties.tolist(), found, constants, strict=True):
        model = Ridge(alpha=penalty, solver="svd").fit(h.numpy(), y.numpy())
        np.testing.assert_allclose(a.T, model.coef_, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(b, model.intercept_, rtol=1e-7, atol=1e-10)
    collapsed = moments(torch.cat([h[:, :50], h[:, :10]], dim=1), y)
    assert linear._tridiagonal_ridge(m, penalties) is not None
    assert linear._tridiagonal_ridge(collapsed, penalties) is None


@pytest.mark.parametrize("k", [1, 30])
def test_errors_of_ridge_are_those_of_its_predictions(k: int) -> None:
    """With so few targets that maps are made, and so many that the test rows are turned."""
    h, y = normal(300, 60) + 1, normal(300, k, seed=2)
    penalties = torch.logspace(-1, 3, 9, dtype=torch.float64)
    train, test = moments(h[:200], y[:200]), moments(h[200:], y[200:])
    _, errors = linear.cross_validated([(train, test)], penalties=penalties)
    for penalty, error in zip(penalties.tolist(), errors, strict=True):
        model = Ridge(alpha=penalty, solver="svd").fit(h[:200].numpy(), y[:200].numpy())
        off = model.predict(h[200:].numpy()).reshape(-1, k) - y[200:].numpy()
        np.testing.assert_allclose(error, (off**2).sum(axis=0), rtol=1e-8)


def test_procrustes_agrees_with_scipy() -> None:
    h, y = normal(200, 4) + 2, normal(200, 4, seed=1) - 1
    turn, size = orthogonal_procrustes(h.numpy(), y.numpy())
    found = linear.procrustes_from_moments(moments(h, y))
    np.testing.assert_allclose(found.rotation, turn, rtol=1e-8)
    assert found.scale == pytest.approx(size / h.square().sum().item(), rel=1e-9)


def test_a_feature_equal_to_the_factor_is_found_although_its_mean_is_far_from_zero() -> None:
    """A closed form that centred the target alone scored R² 0.00 here."""
    z = 5 + 0.3 * normal(400, 1)
    fit = linear.least_squares_from_moments(moments(z, z))
    torch.testing.assert_close(fit.coefficient, torch.ones(1, 1, dtype=torch.float64))
    assert linear.r2(moments(z, z), fit.coefficient, fit.intercept).item() == pytest.approx(1)


def test_tiny_float32_pixels_are_no_matter_of_rounding() -> None:
    """The pseudo-inverse of their float32 Gram matrix scored R² -1.3e4."""
    generator = torch.Generator().manual_seed(0)
    z = torch.rand(2000, 2, generator=generator)
    grid = torch.linspace(0, 1, 16)
    row, column = ((-(g - z[:, i, None]).square() / 0.02).exp() for i, g in enumerate([grid] * 2))
    h = ((row[:, :, None] * column[:, None, :]).flatten(1) / 255).float()
    train, test = moments(h[:1000], z[:1000].double()), moments(h[1000:], z[1000:].double())
    fit = linear.least_squares_from_moments(train)
    assert linear.r2(test, fit.coefficient, fit.intercept).min() > 0.99


def test_dead_and_duplicated_columns_have_their_rank_and_move_no_prediction() -> None:
    """`torch.linalg.lstsq` took ranks 0 to 2 for 3 here, and R² 0 for 0.5."""
    live = normal(500, 3)
    y = live @ normal(3, 1, seed=1) + normal(500, 1, seed=2)
    h = torch.cat([torch.zeros(500, 2), live, live[:, :1], torch.full((500, 1), 0.1)], dim=1)
    plain, fit = (linear.least_squares_from_moments(moments(m, y)) for m in (live, h))
    assert (plain.rank, fit.rank) == (3, 3)
    torch.testing.assert_close(fit.predict(h), plain.predict(live))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_collapsed_features_have_the_rank_that_rounding_leaves_them(dtype: torch.dtype) -> None:
    h = (normal(600, 3) @ normal(3, 64, seed=1)).to(dtype)
    fit = linear.least_squares_from_moments(moments(h, normal(600, 1, seed=2)))
    assert fit.rank == 3
    assert fit.condition_number < 30


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e5])
def test_ill_conditioned_features_lose_digits_and_no_more(condition: float) -> None:
    sizes = torch.logspace(0, -np.log10(condition), 6, dtype=torch.float64)
    h = normal(400, 6) * sizes @ rotation(6, torch.Generator().manual_seed(0))
    y = h @ normal(6, 1, seed=1)
    fit = linear.least_squares_from_moments(moments(h, y))
    assert fit.rank == 6
    error = (fit.predict(h) - y).square().mean() / y.var()
    assert error < (1e-16 * condition**2) ** 2 * 1e4 + 1e-24


def test_columns_of_very_different_units_count_alike() -> None:
    units = torch.tensor([1e-9, 1.0, 1e9], dtype=torch.float64)
    h = normal(300, 3)
    y = h.sum(1, keepdim=True)
    fit = linear.least_squares_from_moments(moments(h * units, y))
    assert fit.rank == 3
    torch.testing.assert_close(fit.predict(h * units), y)


def test_features_that_know_nothing_score_on_the_points_they_were_fitted_to_only() -> None:
    """Fitted and scored on the same 1,024 points, a random encoder of 100 columns has R² 0.1."""
    h, y = normal(1024, 100), normal(1024, 3, seed=1)
    m = moments(h, y)
    fit = linear.least_squares_from_moments(m)
    assert linear.r2(m, fit.coefficient, fit.intercept).mean() > 0.08
    plain, ridged = cross_validated(h, y)
    assert (1 - plain / m.yy).max() < -0.05
    assert (1 - ridged.min(dim=0).values / m.yy).max() < 0.01


def test_errors_of_a_perfect_map_are_not_negative() -> None:
    h = normal(300, 5) + 1e4
    y = h @ normal(5, 2, seed=1)
    m = moments(h, y)
    fit = linear.least_squares_from_moments(m)
    error = linear.squared_error(m, fit.coefficient, fit.intercept)
    assert (error >= 0).all()
    assert (error < 1e-10 * m.yy).all()
