"""Least squares, Procrustes and R² against numpy, scipy, scikit-learn and known answers."""

import jaxtyping
import numpy as np
import pytest
import scipy.linalg
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score as sklearn_r2
from tests.cases import known_recovery_case
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.linalg import least_squares, principal_axes, procrustes, r2_score


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("seed", range(0, 100, 7))
def test_r2_is_what_it_was_built_to_be(seed: int) -> None:
    wanted = torch.tensor([0.0, 0.1, 0.5, 0.99, 1.0], dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    h, z = known_recovery_case(wanted, n=200, d_h=6, generator=generator)
    got = r2_score(least_squares(h, z).predict(h), z)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(50, 7), (7, 50), (20, 20)])
@pytest.mark.parametrize("intercept", [True, False])
def test_agrees_with_scikit_learn(shape: tuple[int, int], intercept: bool) -> None:
    a, b = normal(*shape) + 2, normal(shape[0], 3, seed=1) - 4
    new = normal(10, shape[1], seed=2)
    if shape[0] <= shape[1]:  # least norm, in equal-norm columns as ours
        centre = a - a.mean(0) if intercept else a
        size = centre.square().mean(0).sqrt()
        a, new = a / size, new / size
    reference = LinearRegression(fit_intercept=intercept).fit(a.numpy(), b.numpy())
    got = least_squares(a, b, intercept=intercept).predict(new)
    np.testing.assert_allclose(got.numpy(), reference.predict(new.numpy()), atol=1e-9)


def test_rank_and_condition_number_are_those_of_the_standardised_columns() -> None:
    a = normal(100, 5)
    a[:, 4] = a[:, 0] - 2 * a[:, 1]
    fit = least_squares(a, normal(100, 1, seed=1))
    standard = (a - a.mean(0)) / a.std(0)
    s = np.linalg.svd(standard.numpy(), compute_uv=False)
    assert fit.rank == np.linalg.matrix_rank(standard.numpy()) == 4
    assert fit.condition_number == pytest.approx(s[0] / s[3], rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e4), (1e6, 1e10)])
def test_neither_scale_nor_shift_moves_a_score(
    dtype: torch.dtype, scale: float, shift: float
) -> None:
    a = normal(400, 6, dtype=dtype)
    b = a @ normal(6, 3, seed=1, dtype=dtype) + normal(400, 3, seed=2, dtype=dtype)
    plain = least_squares(a, b)
    moved = least_squares(a * scale + shift, b * scale + shift)
    expected = r2_score(plain.predict(a), b)
    got = r2_score(moved.predict(a * scale + shift), b * scale + shift)
    # in float32 a shift of 1e4 itself rounds the data, to about 1e4 * 6e-8
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-10 if dtype.itemsize == 8 else 1e-3)
    assert moved.rank == plain.rank == 6
    assert moved.condition_number == pytest.approx(plain.condition_number, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_columns_of_very_different_units_count_alike(dtype: torch.dtype) -> None:
    a, b = normal(300, 7, dtype=dtype), normal(300, 2, seed=1, dtype=dtype)
    units = torch.logspace(-6, 6, 7, dtype=dtype)
    fit, scaled = least_squares(a, b), least_squares(a * units, b)
    assert scaled.rank == 7
    torch.testing.assert_close(scaled.predict(a * units), fit.predict(a), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dead_constant_and_duplicate_columns_add_no_rank(dtype: torch.dtype) -> None:
    a, b = normal(400, 6, dtype=dtype), normal(400, 2, seed=1, dtype=dtype)
    dead = torch.cat([a[:, :2] * 3 + 1e3, torch.zeros(400, 2), torch.full((400, 1), 7.3)], dim=1)
    fit, padded = least_squares(a, b), least_squares(torch.cat([a, dead.to(dtype)], dim=1), b)
    assert padded.rank == fit.rank == 6
    assert torch.isfinite(padded.coefficient).all()


def test_collapsed_float32_features_have_their_true_rank() -> None:
    low = torch.relu(normal(2000, 6, dtype=torch.float32) @ normal(6, 3, seed=1).float())
    h = low @ normal(3, 64, seed=2).float() + 5
    fit = least_squares(h, low)
    assert fit.rank == 3
    assert r2_score(fit.predict(h), low).min() > 0.9999


def test_tiny_float32_pixels_score_like_large_ones() -> None:
    """A Gram matrix in float32 made this R² -13,000 in the paper's code (0..1/255 inputs)."""
    generator = torch.Generator().manual_seed(0)
    where = torch.randint(4, 28, (1500, 2), generator=generator)
    grid = torch.arange(32)
    inside = [(grid - where[:, k, None]).abs() <= 3 for k in (0, 1)]
    x = (inside[0][:, :, None] & inside[1][:, None, :]).flatten(1).float() / 255
    z = where.float()
    fit = least_squares(x[:1000], z[:1000])
    assert r2_score(fit.predict(x[1000:]), z[1000:]).min() > 0.999


def test_features_that_do_not_vary_predict_the_mean() -> None:
    b = normal(20, 2)
    fit = least_squares(torch.ones(20, 3), b)
    assert fit.rank == 0
    assert fit.condition_number == float("inf")
    torch.testing.assert_close(fit.predict(torch.ones(1, 3)), b.mean(0, keepdim=True))


def test_principal_axes_reproduce_the_matrix() -> None:
    a = normal(50, 3) @ normal(3, 8, seed=1) + 4
    axes = principal_axes(a)
    torch.testing.assert_close(axes.coordinates(a) @ axes.axes.T + axes.mean, a)
    torch.testing.assert_close(axes.size, axes.coordinates(a).std(0, correction=0))
    assert len(axes.size) == 3


def test_procrustes_agrees_with_scipy() -> None:
    a, b = normal(50, 4), normal(50, 4, seed=1)
    reference, scale = scipy.linalg.orthogonal_procrustes(a.numpy(), b.numpy())
    fit = procrustes(a, b)
    np.testing.assert_allclose(fit.rotation.numpy(), reference, atol=1e-10)
    assert fit.scale == pytest.approx(scale / a.square().sum().item())


@pytest.mark.parametrize(("d", "k"), [(6, 4), (4, 6)])
def test_procrustes_fills_the_narrower_side_with_zeros(d: int, k: int) -> None:
    a, b = normal(50, d), normal(50, k, seed=1)
    wide = max(d, k)
    full_a, full_b = (torch.nn.functional.pad(m, (0, wide - m.shape[1])).numpy() for m in (a, b))
    reference, scale = scipy.linalg.orthogonal_procrustes(full_a, full_b)
    wanted = full_a @ reference[:, :k] * scale / (full_a**2).sum()
    np.testing.assert_allclose(procrustes(a, b).predict(a).numpy(), wanted, atol=1e-10)


def test_r2_agrees_with_scikit_learn() -> None:
    target, prediction = normal(30, 3) + 5, normal(30, 3, seed=1) + 5
    wanted = sklearn_r2(target.numpy(), prediction.numpy(), multioutput="raw_values")
    np.testing.assert_allclose(r2_score(prediction, target).numpy(), wanted, rtol=1e-10)


@pytest.mark.parametrize(("size", "offset"), [(1e-4, 0.0), (1.0, 1e4), (1e-9, 1e-6)])
def test_r2_of_the_mean_is_zero_whatever_the_unit(size: float, offset: float) -> None:
    target = size * normal(1000, 1) + offset
    prediction = target.mean(0, keepdim=True).expand_as(target)
    assert r2_score(prediction, target).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
def test_r2_of_a_constant_is_refused(value: float) -> None:
    target = torch.cat([normal(9, 1), torch.full((9, 1), value)], dim=1)
    with pytest.raises(InputError, match="column 1 does not vary"):
        r2_score(target, target)


@pytest.mark.parametrize("solve", [least_squares, procrustes, r2_score])
def test_unusable_matrices_are_refused(solve: object) -> None:
    assert callable(solve)
    with pytest.raises(InputError, match="1 values that are NaN"):
        solve(normal(5, 2), torch.where(torch.arange(10).view(5, 2) == 3, torch.nan, 1.0))


@pytest.mark.parametrize("solve", [least_squares, procrustes, r2_score])
def test_different_numbers_of_rows_are_refused(
    solve: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users
    assert callable(solve)
    with pytest.raises(InputError, match="same"):
        solve(normal(5, 2), normal(4, 2))


def test_procrustes_of_nothing_predicts_nothing() -> None:
    fit = procrustes(torch.zeros(5, 2), normal(5, 2))
    assert fit.scale == 0
    assert not fit.predict(normal(5, 2)).any()
