"""What can be read from a superposition: by linear maps against regressions, by l1 against LPs."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, linprog
from scipy.special import erfinv
from sklearn.linear_model import LinearRegression

from identikit.core.randomness import stream
from identikit.theory.superposition import (
    FactorMoments,
    linear_r2,
    most_linear_r2,
    weak_threshold,
)
from identikit.worlds.superposition import Superposition


def stojnic(delta: float, *, signed: bool) -> float:
    """The same threshold as arXiv:0907.3666 has it: an equation in k / K for given d / K."""
    sides = 2 if signed else 1

    def gap(beta: float) -> float:
        share = (1 - delta) / (1 - beta)
        e = erfinv(share if signed else 2 * share - 1)
        tail = (1 - beta) * np.sqrt(sides**2 / (2 * np.pi)) * np.exp(-(e**2)) / delta
        return float(tail - np.sqrt(2) * e)

    return float(brentq(gap, 1e-9, delta - 1e-9)) / delta


@pytest.mark.parametrize("delta", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_the_threshold_is_that_of_another_derivation(delta: float) -> None:
    for signed in (False, True):
        expected = stojnic(delta, signed=signed)
        assert weak_threshold(delta, signed=signed) == pytest.approx(expected, abs=1e-6)
    assert weak_threshold(0.5, signed=True) == pytest.approx(0.3857, abs=1e-4)
    assert weak_threshold(1.0) == 1.0


def test_linear_programs_succeed_below_the_threshold_and_fail_above() -> None:
    factors, dim = 60, 30
    k = weak_threshold(dim / factors) * dim
    generator = stream(0, "factors")
    for active, solved in ((round(0.7 * k), True), (round(1.4 * k), False)):
        world = Superposition(factors=factors, dim=dim, active=active)
        z = world.draw_factors(15, generator=generator).double()
        a = world.atoms.double()
        found = [linprog(np.ones(factors), A_eq=a.T.numpy(), b_eq=(row @ a).numpy()).x for row in z]
        error = np.abs(np.array(found) - z.numpy()).max(axis=1)
        assert np.mean(error < 1e-5) == pytest.approx(float(solved), abs=0.2)


def test_the_best_linear_map_is_that_of_a_regression_on_what_was_seen() -> None:
    world = Superposition(factors=10, dim=6, active=2, halves=True, importance=0.3)
    seen, new = (
        world.draw_factors(40_000, held_out=held_out, generator=stream(0, "z")).double()
        for held_out in (False, True)
    )
    moments, others = FactorMoments.of(seen), FactorMoments.of(new)
    np.testing.assert_allclose(moments.covariance, np.cov(seen.numpy().T, bias=True), atol=1e-12)
    atoms = world.atoms.double()
    fit = LinearRegression().fit((seen @ atoms).numpy(), seen.numpy())
    for z, scored in ((seen, moments), (new, others)):
        error = z.numpy() - fit.predict((z @ atoms).numpy())
        expected = 1 - (error**2).mean(axis=0) / z.numpy().var(axis=0)
        np.testing.assert_allclose(linear_r2(atoms, moments, scored), expected, atol=1e-10)


def test_uncorrelated_factors_have_d_over_K_whatever_the_directions() -> None:
    atoms = torch.randn(12, 5, generator=stream(0, "atoms"), dtype=torch.float64)
    moments = FactorMoments(mean=torch.zeros(12).double(), covariance=torch.eye(12).double())
    assert linear_r2(atoms, moments, moments).mean().item() == pytest.approx(5 / 12)
    assert most_linear_r2(moments.covariance, 5) == pytest.approx(5 / 12)


def test_no_features_of_as_many_dimensions_have_more() -> None:
    """Not even the factors' own principal axes, which have just that."""
    world = Superposition(factors=12, dim=4, active=3, correlation=0.8)
    z = world.draw_factors(5000, generator=stream(0, "z")).double()
    covariance = FactorMoments.of(z).covariance
    most = most_linear_r2(covariance, 4)
    scaled = (z - z.mean(dim=0)) / z.std(dim=0)
    features = [z @ world.atoms.double(), torch.tanh(3 * z[:, :4]), torch.linalg.svd(scaled)[0]]
    r2 = [
        LinearRegression().fit(h[:, :4].numpy(), z.numpy()).score(h[:, :4].numpy(), z.numpy())
        for h in features
    ]
    assert max(r2) <= most + 1e-9
    assert r2[-1] == pytest.approx(most, abs=0.01)
    assert most > 4 / 12 + 0.05
