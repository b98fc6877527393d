"""Least squares where it is well posed, ridge where it overfits."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, Ridge
from tests.cases import latents, rotation
from torch import Tensor

from identikit import score
from identikit.probing import linear, regression
from identikit.probing.regression import PENALTIES, CompressedFeatures, fit_each, regress, within
from identikit.statistics.split import Split, group_folds


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def run(train: Tensor, *targets: Tensor, test: Tensor) -> tuple[list[Tensor], list[bool]]:
    """Predictions for the test rows, and whether each factor's are by ridge."""
    n, m = len(train), len(test)
    split = Split(train=torch.arange(n), test=torch.arange(n, n + m))
    folds = group_folds(torch.arange(n), n_folds=5, generator=torch.Generator().manual_seed(0))
    h = torch.cat([train, test])
    y = [torch.cat([target, target.new_zeros(m, target.shape[1])]) for target in targets]
    statistics = CompressedFeatures.of(h).statistics(
        torch.cat(y, 1), splits=[split, *within(split, folds)]
    )
    fits = fit_each(statistics, widths=[target.shape[1] for target in targets])
    return regress(h, y, split=split, folds=folds), [fit.penalty > 0 for fit in fits]


def test_plenty_of_samples_are_plain_least_squares() -> None:
    train, test, y = normal(500, 5), normal(20, 5, seed=1), normal(500, 2, seed=2)
    (found,), (ridged,) = run(train, y, test=test)
    assert not ridged
    wanted = LinearRegression().fit(train.numpy(), y.numpy()).predict(test.numpy())
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [(40, 30), (40, 40), (30, 80)])
@pytest.mark.parametrize("penalty", PENALTIES[8:])
def test_ridge_agrees_with_scikit_learn(
    shape: tuple[int, int], penalty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regression, "PENALTIES", (penalty,))
    monkeypatch.setattr(regression, "GAIN", float("inf"))
    train, test, y = normal(*shape) + 3, normal(9, shape[1], seed=1), normal(shape[0], 2, seed=2)
    (found,), _ = run(train, y, test=test)
    size = (train - train.mean(0)).square().sum().item()
    reference = Ridge(alpha=penalty * size, solver="svd").fit(train.numpy(), y.numpy())
    np.testing.assert_allclose(found, reference.predict(test.numpy()), atol=1e-8)


def test_each_factor_chooses_for_itself() -> None:
    train = normal(60, 40)
    exact = train @ normal(40, 1, seed=1)
    noise = normal(60, 2, seed=2)
    found, ridged = run(train, exact, noise, test=train[:5])
    assert ridged == [False, True]
    torch.testing.assert_close(found[0], exact[:5])


def test_ridge_is_indifferent_to_scale_shift_and_rotation() -> None:
    train, test, y = normal(50, 60), normal(9, 60, seed=1), normal(50, 1, seed=2)
    turn = rotation(60, torch.Generator().manual_seed(3))
    (plain,), _ = run(train, y, test=test)
    (moved,), _ = run(1e6 * train @ turn + 1e4, 1e-6 * y - 7, test=1e6 * test @ turn + 1e4)
    torch.testing.assert_close((moved + 7) * 1e6, plain, rtol=0, atol=1e-5)


def test_a_feature_at_rest_in_all_but_one_training_sample_ruins_no_prediction() -> None:
    """Pixels at an image's edge: least squares gives them any weight and extrapolates.

    Predictions of COIL-20's azimuth from every eighth pixel had an R² of -199 that way.
    """
    generator = torch.Generator().manual_seed(0)
    h = normal(600, 20)
    rare = (torch.rand(600, 100, generator=generator) < 0.004).double()
    rare[:300] *= 0.01  # faint in training
    y = h[:, :1] + 0.3 * normal(600, 1, seed=1)
    h = torch.cat([h, rare], dim=1)
    (found,), (ridged,) = run(h[:300], y[:300], test=h[300:])
    error = (found - y[300:]).square().mean()
    plain = LinearRegression().fit(h[:300].numpy(), y[:300].numpy()).predict(h[300:].numpy())
    assert ridged
    assert error < 0.3
    assert ((plain - y[300:].numpy()) ** 2).mean() > 10


@pytest.mark.parametrize("n", [3, 50])
def test_features_that_do_not_vary_predict_the_mean(n: int) -> None:
    y = normal(n, 1)
    (found,), _ = run(torch.full((n, 9), 0.1), y, test=torch.ones(2, 9))
    torch.testing.assert_close(found, y.mean().expand(2, 1))


def loud(n: int, d: int, *, size: float) -> tuple[Tensor, Tensor, Tensor]:
    """Quiet features, and the same beside a loud direction, all turned so that no column is it."""
    generator = torch.Generator().manual_seed(0)
    quiet = latents(generator, n=n, dim=d)
    turn = torch.linalg.qr(latents(generator, n=d + 1, dim=d + 1)).Q
    both = torch.cat([quiet, size * latents(generator, n=n, dim=1)], dim=1)
    z = quiet[:, :3].sum(dim=1, keepdim=True) + 0.05 * latents(generator, n=n, dim=1)
    return quiet, both @ turn + 7, z


@pytest.mark.parametrize("size", [1e5, 1e7, 1e9])
def test_a_loud_direction_of_any_slant_hides_nothing(size: float) -> None:
    """Least squares is blind to how directions are scaled: with it and without, one answer."""
    quiet, both, z = loud(400, 20, size=size)
    factors = {"size": z[:, 0], "large": z[:, 0] > 0}
    wanted, found = (score(h, factors, resamples=100) for h in (quiet, both))
    assert (found.rank, found.status) == (21, "ok")
    assert found.latents is None
    for own, other in zip(found.factors, wanted.factors, strict=True):
        assert own.estimate.value == pytest.approx(other.estimate.value, abs=5e-3)
    joint = score(both, z, resamples=100).latents
    assert joint is not None
    slope, constant = torch.tensor(joint.coefficient), torch.tensor(joint.intercept)
    error = (both @ slope.double() + constant - z).square().mean()
    assert error < 6e-3  # that of the noise, .0025, and of the map's


def test_a_loud_direction_hides_nothing_where_dimensions_outnumber_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    z = latents(generator, n=100, dim=2)
    h = z @ latents(generator, n=2, dim=300) + 0.1 * latents(generator, n=100, dim=300)
    slant = latents(generator, n=1, dim=300)
    found = score(h + 1e7 * latents(generator, n=100, dim=1) @ slant, z, resamples=100)
    assert all(factor.estimate.value > 0.95 for factor in found.factors)


def test_well_conditioned_features_are_used_as_they_came() -> None:
    h = latents(torch.Generator().manual_seed(0), n=200, dim=20)
    h[:, 3] = 0  # dead, copied, tiny and loud columns are no directions that products hide
    h[:, 4] = h[:, 5]
    no_sum = h - h.mean(dim=1, keepdim=True)
    h[:, 6] *= 1e-9
    h[:, 7] *= 1e9
    for features in (h, h.float(), no_sum, no_sum.float()):
        assert CompressedFeatures.of(features).h is features


def test_loud_columns_leave_the_others_their_classifier() -> None:
    generator = torch.Generator().manual_seed(0)
    z = latents(generator, n=300, dim=2)
    h = 0.5 * z @ latents(generator, n=2, dim=370) + latents(generator, n=300, dim=370)
    both = torch.cat([h, 1e7 * latents(generator, n=300, dim=30)], dim=1)
    alone, beside = (
        score(own, {"large": z[:, 0] > 0}, resamples=100).factors[0] for own in (h, both)
    )
    assert beside.estimate.value > alone.estimate.value - 0.03


def test_rounding_of_a_large_mean_hides_as_much_with_fewer_rows_than_dimensions() -> None:
    """Directions that fade into the rounding of 100,000 are kept by the same rule either way."""
    n, d = 400, 300
    left, right = (torch.linalg.qr(normal(side, d, seed=side))[0] for side in (n, d))
    mean = 1e5 * torch.rand(d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h = ((left * torch.logspace(1, -1, d)) @ right.T + mean).float()
    fold = Split(train=torch.arange(160), test=torch.arange(160, 200))
    kept = []
    for fitted in (None, torch.arange(200)):
        features = CompressedFeatures.of(h, fitted=fitted)
        assert (features.basis is None) == (fitted is None)
        moments = features.statistics(normal(n, 1), splits=[fold]).train(0)
        kept.append(len(linear.principal_axes(moments.scaled(linear.units(moments))).size))
    assert 130 < kept[0] < 155
    assert abs(kept[0] - kept[1]) <= 4
