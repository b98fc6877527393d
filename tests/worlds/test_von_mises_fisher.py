"""Von Mises-Fisher against Bessel functions, scipy's distribution and its own angle density."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.von_mises_fisher import VonMisesFisher, log_normalizer

DIMS = [2, 3, 5, 16, 1024]
KAPPAS = [0.0, 0.1, 10.0, 1e4]


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unit(n: int, d: int, seed: int = 1) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(n, d, generator=stream(seed)))


def one_minus_cosine(z: Tensor, v: Tensor) -> Tensor:
    """1 - v.z in float64 without cancellation."""
    z, v = (torch.nn.functional.normalize(a.double()) for a in (z, v))
    return (z - v).square().sum(1) / 2


def log_bessel(order: float, x: float) -> float:
    """Log I_order(x): scipy's, and for the orders where it underflows Olver's expansion."""
    if order < 100:
        return float(np.log(special.ive(order, x)) + x)
    p = 1 / math.hypot(1, x / order)
    eta = 1 / p + math.log(x / order / (1 + 1 / p))
    u1 = (3 * p - 5 * p**3) / 24
    u2 = (81 * p**2 - 462 * p**4 + 385 * p**6) / 1152
    series = 1 + u1 / order + u2 / order**2
    return order * eta + math.log(p / (2 * math.pi * order)) / 2 + math.log(series)


def angle_distribution(dim: int, kappa: float) -> stats.rv_histogram:
    """The angle's distribution from 200,000 bins of its density."""
    edges = np.linspace(0, np.pi, 200_001)
    middle = (edges[1:] + edges[:-1]) / 2
    log_p = (dim - 2) * np.log(np.sin(middle)) - 2 * kappa * np.sin(middle / 2) ** 2
    return stats.rv_histogram((np.exp(log_p - log_p.max()), edges), density=False)


def samples(dim: int, kappa: float, *, shared: bool, n: int) -> tuple[Tensor, Tensor]:
    """(z, v) of every second centre, through the table or through rejection."""
    v = unit(7, dim)
    concentration = kappa if shared else torch.full((7,), kappa)
    component = torch.randint(7, (n,), generator=stream(2))
    z = VonMisesFisher(v, concentration=concentration).sample(component, generator=stream(3))
    return z, v[component]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("dim", DIMS)
def test_angles_follow_their_density_and_norms_are_one(
    dim: int, kappa: float, shared: bool
) -> None:
    n = 4_000 if dim > 100 else 40_000
    z, v = samples(dim, kappa, shared=shared, n=n)
    assert z.dtype == torch.float32
    assert float((z.double().norm(dim=1) - 1).abs().max()) < 1e-6
    fall = one_minus_cosine(z, v).numpy()
    expected = angle_distribution(dim, kappa)
    angle = 2 * np.arcsin(np.sqrt(fall / 2).clip(max=1))
    assert stats.kstest(angle, expected.cdf).pvalue > 1e-3
    if kappa > 0:  # mean resultant length, in terms of 1 - v.z so that kappa = 10,000 counts
        ratio = math.exp(log_bessel(dim / 2, kappa) - log_bessel(dim / 2 - 1, kappa))
        assert abs(fall.mean() - (1 - ratio)) < 4.5 * fall.std() / math.sqrt(n) + 1e-9


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("dim", [2, 3, 5, 64])
def test_directions_around_the_centre_are_uniform(dim: int, shared: bool) -> None:
    z, v = samples(dim, 10.0, shared=shared, n=20_000)
    tangent = (z - v * (z * v).sum(1, keepdim=True)).double()
    tangent = torch.nn.functional.normalize(tangent)
    # Covariance of a uniform direction orthogonal to each v: (I - v v^T) / (d - 1).
    expected = (torch.eye(dim) - v.double().T @ v.double() / len(v)) / (dim - 1)
    found = tangent.T @ tangent / len(v)
    assert float((found - expected).abs().max()) < 6 / math.sqrt(len(v)) / (dim - 1) ** 0.5
    assert float(tangent.mean(0).abs().max()) < 5 / math.sqrt(len(v))


@pytest.mark.parametrize("dim", [2, 3, 5, 16, 64])
@pytest.mark.parametrize("kappa", [0.1, 10.0, 1e3])
def test_log_density_is_scipys(dim: int, kappa: float) -> None:
    frozen: Any = stats.vonmises_fisher  # whose stubs want a whole kappa
    v, z = unit(3, dim), unit(50, dim, seed=4)
    got = VonMisesFisher(v, concentration=kappa).log_density(z)
    for column, mean in zip(got.T, v.double(), strict=True):
        reference = frozen(mean.numpy() / mean.norm().item(), kappa)
        directions = torch.nn.functional.normalize(z.double()).numpy()
        np.testing.assert_allclose(column, reference.logpdf(directions), atol=1e-8 * (1 + kappa))


@pytest.mark.parametrize("kappa", [1e-6, 0.1, 10.0, 1e3, 1e4])
@pytest.mark.parametrize("dim", DIMS)
def test_normalizer_is_the_bessel_function(dim: int, kappa: float) -> None:
    order = dim / 2 - 1
    expected = log_bessel(order, kappa) - order * math.log(kappa) + dim / 2 * math.log(2 * math.pi)
    got = log_normalizer(torch.tensor(kappa, dtype=torch.float64), dim=dim)
    assert float(got) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("dim", DIMS)
def test_normalizer_without_concentration_is_the_area(dim: int) -> None:
    area = math.log(2) + dim / 2 * math.log(math.pi) - math.lgamma(dim / 2)
    got = log_normalizer(torch.zeros(3, dtype=torch.float64), dim=dim)
    np.testing.assert_allclose(got, area, atol=1e-10)


def test_density_integrates_to_one_on_the_circle() -> None:
    world = VonMisesFisher(unit(1, 2), concentration=50.0)

    def density(angle: float) -> float:
        z = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
        return float(world.log_density(z).exp())

    peak = math.atan2(float(world.centres[0, 1]), float(world.centres[0, 0]))
    total = integrate.quad(density, peak - math.pi, peak + math.pi, points=[peak])[0]
    assert total == pytest.approx(1, abs=1e-7)


def test_different_means_and_concentrations_in_one_batch() -> None:
    v = unit(20_000, 16)
    kappa = torch.logspace(0, 4, 20_000)
    z = VonMisesFisher(v, concentration=kappa).sample(torch.arange(20_000), generator=stream())
    # kappa (1 - v.z) tends to a gamma variable of shape 15/2 as kappa grows.
    scaled = (kappa * one_minus_cosine(z, v))[kappa > 1000]
    expected = [
        k * (1 - math.exp(log_bessel(8, k) - log_bessel(7, k)))
        for k in kappa[kappa > 1000].tolist()
    ]
    error = float(scaled.mean()) - np.mean(expected)
    assert abs(error) < 4 * float(scaled.std()) / math.sqrt(len(scaled))


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, 1e5])
def test_bad_concentration(bad: float) -> None:
    with pytest.raises(InputError, match="concentration must be from 0 to 10000"):
        VonMisesFisher(unit(2, 3), concentration=bad)


def test_one_concentration_per_centre_or_one_for_all() -> None:
    with pytest.raises(InputError, match=r"one per centre \(4\)"):
        VonMisesFisher(unit(4, 3), concentration=torch.ones(3))


def test_centres_must_be_on_the_sphere() -> None:
    with pytest.raises(InputError, match="unit norm"):
        VonMisesFisher(2 * unit(4, 3), concentration=1.0)


def test_a_line_has_no_sphere() -> None:
    with pytest.raises(InputError, match="dim >= 2"):
        VonMisesFisher(torch.ones(4, 1), concentration=1.0)
