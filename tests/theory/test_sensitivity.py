import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from tests.theory.conftest import make_world
from torch.nn.functional import normalize

from identikit.core.linalg import least_squares, r2_score
from identikit.theory.cases import Case
from identikit.theory.optimum import Optimum, rank_optimum
from identikit.theory.sensitivity import (
    DistortionForms,
    distortion_forms,
    distortion_rates,
    loss_sensitivity,
    polynomials,
    probe_weight,
    steepest_slope,
    tangents,
    typical_rate,
)


@pytest.fixture(params=list(Case))
def optimum(generator: torch.Generator, request: pytest.FixtureRequest) -> Optimum:
    world = make_world(dim=3, classes=12, kappa=6.0)
    return rank_optimum(world, dim=3, case=request.param, samples=800, generator=generator)


def divergence(optimum: Optimum, features: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    p = optimum.log_posterior.exp()
    log_q = torch.log_softmax(features @ rows.T + optimum.task.log_count, dim=1)
    return (p * (optimum.log_posterior - log_q)).sum(dim=1).mean()


def after_the_head_has_answered(optimum: Optimum, features: torch.Tensor) -> float:
    """Least divergence of these features over rows (and their length) of the case, by scipy."""
    (k, m), case = optimum.rows.shape, optimum.case

    def value(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        theta = torch.tensor(flat, requires_grad=True)
        rows, length = theta[:-1].reshape(k, m), theta[-1]
        if case.unit_rows:
            rows = normalize(rows) * (length if case is Case.C1 else 1)
        loss = divergence(optimum, features, rows)
        (gradient,) = torch.autograd.grad(loss, theta, materialize_grads=True)
        return float(loss.detach()), gradient.numpy()

    start = torch.cat([optimum.rows.flatten(), optimum.rows[0].norm()[None]]).numpy()
    options: Any = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000, "maxfun": 20_000}
    return float(minimize(value, start, jac=True, method="L-BFGS-B", options=options).fun)


def distorted(optimum: Optimum, forms: DistortionForms, b: torch.Tensor) -> torch.Tensor:
    """Features along P (phi B), on the sphere where they have unit norm."""
    h = optimum.features + (forms.tangent @ (forms.phi @ b)[:, :, None])[:, :, 0]
    return normalize(h) if optimum.case.unit_features else h


def lost_r2(optimum: Optimum, h: torch.Tensor) -> float:
    prediction = least_squares(h, optimum.z).predict(h)
    return 1 - float(r2_score(prediction, optimum.z).mean())


def test_polynomials_are_white_affine_ones_first(optimum: Optimum) -> None:
    phi = polynomials(optimum.features, degree=3)
    assert phi.shape[1] == 1 + 3 + 5 + 7  # spherical harmonics to degree 3 in three dimensions
    torch.testing.assert_close(phi.T @ phi / len(phi), torch.eye(16, dtype=torch.float64))
    fit = least_squares(optimum.features, phi[:, 4:])
    assert fit.predict(optimum.features).abs().max() < 1e-9
    fit = least_squares(optimum.features, phi[:, 1:4])
    torch.testing.assert_close(fit.predict(optimum.features), phi[:, 1:4])


def test_cost_and_lost_r2_of_a_random_distortion_are_as_predicted(
    optimum: Optimum, generator: torch.Generator
) -> None:
    forms = distortion_forms(optimum, degree=2)
    size = (forms.phi.shape[1], 3)
    for _ in range(3):
        b = 0.01 * torch.randn(size, generator=generator, dtype=torch.float64)
        h = distorted(optimum, forms, b)
        predicted = float(b.flatten() @ forms.cost @ b.flatten())
        cost = after_the_head_has_answered(optimum, h) - optimum.excess
        assert cost == pytest.approx(predicted, rel=0.05)
        predicted = float(b.flatten() @ forms.lost @ b.flatten())
        assert lost_r2(optimum, h) == pytest.approx(predicted, rel=0.05)


def test_the_cheapest_distortion_costs_what_it_says(optimum: Optimum) -> None:
    forms = distortion_forms(optimum, degree=2)
    p = forms.phi.shape[1]
    least = torch.linalg.eigh(forms.lost)[0][-1] * 1e-7  # of what an affine map makes good
    lost = forms.lost + least * torch.eye(len(forms.lost), dtype=torch.float64)
    root = torch.linalg.inv(torch.linalg.cholesky(lost))
    ridge = 1e3 * least * root @ root.T  # keeps what loses nothing from being the cheapest
    values, vectors = torch.linalg.eigh(root @ forms.cost @ root.T + ridge)
    b = (0.03 * root.T @ vectors[:, 0]).reshape(p, 3)
    h = distorted(optimum, forms, b)
    rate = distortion_rates(forms)[0]
    measured = (after_the_head_has_answered(optimum, h) - optimum.excess) / lost_r2(optimum, h)
    assert measured == pytest.approx(float(rate), rel=0.1)
    assert float(values[0]) == pytest.approx(float(rate), rel=0.1)


def test_typical_is_the_cost_of_noise(optimum: Optimum, generator: torch.Generator) -> None:
    root = torch.linalg.inv(torch.linalg.cholesky(probe_weight(optimum.features, optimum.z)))
    tangent = tangents(optimum.features, optimum.case)
    costs, losses = [], []
    for _ in range(20):
        noise = torch.randn(optimum.features.shape, generator=generator, dtype=torch.float64)
        h = optimum.features + 0.03 * (tangent @ (noise @ root)[:, :, None])[:, :, 0]
        h = normalize(h) if optimum.case.unit_features else h
        costs.append(float(divergence(optimum, h, optimum.rows)))
        losses.append(lost_r2(optimum, h))
    assert sum(costs) / sum(losses) == pytest.approx(typical_rate(optimum), rel=0.05)


def test_what_keeps_unit_norm_costs_no_less_than_what_need_not(optimum: Optimum) -> None:
    """Where the optima of all cases are one function but for a linear map."""
    world = make_world(dim=3, classes=12, kappa=6.0)
    other = torch.Generator().manual_seed(1)
    free = rank_optimum(world, dim=3, samples=800, generator=other)
    least = distortion_rates(distortion_forms(free, degree=2))[0]
    assert distortion_rates(distortion_forms(optimum, degree=2))[0] > 0.9 * least


def test_few_or_far_classes_make_the_loss_flat(generator: torch.Generator) -> None:
    base, far, few = (
        loss_sensitivity(make_world(**options), samples=1024, generator=generator)
        for options in ({}, {"kappa": 50.0}, {"classes": 10})
    )
    for one in (base, far, few):
        assert 0 < one.cheapest < one.equipartition < one.typical
    assert far.cheapest < base.cheapest / 5
    assert few.cheapest < base.cheapest / 5


def test_at_a_ceiling_of_one_nothing_changes_to_first_order(generator: torch.Generator) -> None:
    sensitivity = loss_sensitivity(make_world(), samples=1024, generator=generator)
    assert sensitivity.slope < 1e-9
    assert sensitivity.steepest < 1e-9
    assert sensitivity.r2_range(0.0, ceiling_r2=1.0) == pytest.approx((1, 1))
    low, high = sensitivity.r2_range(0.1 * sensitivity.cheapest, ceiling_r2=1.0)
    assert (low, high) == pytest.approx((0.9, 1))
    assert sensitivity.r2_range(10.0, ceiling_r2=1.0)[0] == 0


LAPLACE: dict[str, Any] = {"dim": 3, "classes": 12, "conditional": "laplace", "scale": 1.0}


@pytest.fixture
def bent(generator: torch.Generator) -> Optimum:
    world = make_world(**LAPLACE)
    return rank_optimum(world, dim=3, samples=400, generator=generator)


def traded(optimum: Optimum, weight: float) -> tuple[float, float]:
    """(excess, R²) at the minimum of the divergence plus weight times R², by scipy."""
    (k, m), n = optimum.rows.shape, len(optimum.z)

    def scores(theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows, h = theta[: k * m].reshape(k, m), theta[k * m :].reshape(n, m)
        x = torch.cat([h, torch.ones_like(h[:, :1])], dim=1)
        missed = optimum.z - x @ torch.linalg.solve(x.T @ x, x.T @ optimum.z)
        share = missed.square().sum(0) / (optimum.z - optimum.z.mean(0)).square().sum(0)
        return divergence(optimum, h, rows), 1 - share.mean()

    def value(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        theta = torch.tensor(flat, requires_grad=True)
        excess, r2 = scores(theta)
        loss = n * (excess + weight * r2)
        (gradient,) = torch.autograd.grad(loss, theta)
        return float(loss.detach()), gradient.numpy()

    start = torch.cat([optimum.rows.flatten(), optimum.features.flatten()]).numpy()
    options: Any = {"ftol": 1e-15, "gtol": 1e-8, "maxiter": 5000, "maxfun": 20_000, "maxcor": 30}
    end = minimize(value, start, jac=True, method="L-BFGS-B", options=options).x
    excess, r2 = scores(torch.tensor(end))
    return float(excess), float(r2)


def test_below_a_ceiling_of_one_r2_moves_either_way_at_the_steepest_rate(bent: Optimum) -> None:
    steepest = steepest_slope(bent, degree=3)
    assert steepest > 0.3
    excess, r2 = traded(bent, 0.0)
    for weight in (0.003, -0.003):
        more, moved = traded(bent, weight)
        slope = (moved - r2) / (more - excess) ** 0.5
        assert slope == pytest.approx(-steepest if weight > 0 else steepest, rel=0.05)


def test_polynomials_change_r2_as_their_gain_says(
    bent: Optimum, generator: torch.Generator
) -> None:
    forms = distortion_forms(bent, degree=3)
    b = torch.randn(forms.phi.shape[1], 3, generator=generator, dtype=torch.float64)
    gained = [-lost_r2(bent, distorted(bent, forms, step * b)) for step in (1e-4, -1e-4)]
    slope = (gained[0] - gained[1]) / 2e-4
    assert slope == pytest.approx(float(forms.gain @ b.flatten()), rel=1e-3)


def test_a_distortion_of_a_bent_optimum_costs_what_the_form_says(
    bent: Optimum, generator: torch.Generator
) -> None:
    """Where the model is not the true posterior, rows that answer cost more than their variance."""
    forms = distortion_forms(bent, degree=2)
    for _ in range(3):
        b = 0.02 * torch.randn(forms.phi.shape[1], 3, generator=generator, dtype=torch.float64)
        predicted = float(b.flatten() @ forms.cost @ b.flatten())
        cost = after_the_head_has_answered(bent, distorted(bent, forms, b)) - bent.excess
        # the features' own gradient is zero at each sample, so what is left is second order
        assert cost == pytest.approx(predicted, rel=0.1)


def test_no_polynomial_is_steeper_than_what_is_free_at_each_sample(
    generator: torch.Generator,
) -> None:
    sensitivity = loss_sensitivity(make_world(**LAPLACE), samples=1024, generator=generator)
    assert 0 < sensitivity.slope < sensitivity.steepest
    above = 1e-4
    low, high = sensitivity.r2_range(sensitivity.ceiling_excess + above, ceiling_r2=0.8)
    assert high - 0.8 == pytest.approx(0.01 * sensitivity.steepest)
    second = 0.8 * above / sensitivity.cheapest
    assert 0.8 - low == pytest.approx(0.01 * sensitivity.steepest + second)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "slope"), [(1.0, 0.93), (0.5, 0.42)])
def test_projected_laplace_worlds_have_the_known_slopes(
    scale: float, slope: float, generator: torch.Generator
) -> None:
    world = make_world(conditional="laplace", scale=scale)
    found = loss_sensitivity(world, generator=generator)
    assert found.slope == pytest.approx(slope, rel=0.05)


def test_many_rows_answer_through_polynomials(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(dim=3, classes=60)
    full = loss_sensitivity(world, samples=1024, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr("identikit.theory.sensitivity.MAX_UNKNOWNS", 150)
    thin = loss_sensitivity(world, samples=1024, generator=torch.Generator().manual_seed(1))
    assert thin.cheapest >= full.cheapest * 0.999
    assert thin.equipartition == pytest.approx(full.equipartition, rel=0.15)


def test_of_many_dimensions_the_strongest_are_distorted(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(dim=4, classes=40)
    full = loss_sensitivity(world, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr("identikit.theory.sensitivity.MAX_DIRECTIONS", 3)
    part = loss_sensitivity(world, generator=torch.Generator().manual_seed(1))
    assert part.typical == pytest.approx(full.typical)
    assert part.cheapest == pytest.approx(full.cheapest, rel=0.5)
    assert part.equipartition == pytest.approx(full.equipartition, rel=0.5)


def test_directions_that_nothing_is_read_from_do_not_count(generator: torch.Generator) -> None:
    as_many, more = (
        loss_sensitivity(make_world(classes=40), dim=dim, samples=1024, generator=generator)
        for dim in (5, 8)
    )
    assert more.cheapest == pytest.approx(as_many.cheapest, rel=0.1)
    assert more.typical == pytest.approx(as_many.typical, rel=0.1)
    zipf = make_world(classes=40, label_exponent=1.0)
    constant = loss_sensitivity(zipf, dim=6, samples=1024, generator=generator)
    assert 0 < constant.cheapest < constant.typical


def test_a_world_without_information_costs_nothing(generator: torch.Generator) -> None:
    sensitivity = loss_sensitivity(make_world(kappa=0.0), samples=512, generator=generator)
    assert sensitivity.r2_range(0.01, ceiling_r2=0.0) == (0, 1)


@pytest.mark.parametrize("silent", [{"kappa": 0.0}, {"label_noise": 1.0}])
def test_labels_that_say_nothing_leave_every_score_possible(
    silent: dict[str, Any], generator: torch.Generator
) -> None:
    world = make_world(dim=3, classes=10, **silent)
    found = loss_sensitivity(world, dim=3, samples=400, generator=generator)
    assert all(math.isfinite(value) for value in dataclasses.astuple(found))
    assert found.r2_range(1e-6, ceiling_r2=0.0) == (0.0, 1.0)
