"""Projected families: densities against adaptive quadrature, samples against densities."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.conditionals import Conditional
from identikit.worlds.projected import (
    ProjectedGeneralizedNormal,
    ProjectedLaplace,
    ProjectedNormal,
)


def unit(n: int, d: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(n, d, generator=generator))


def families(v: Tensor, scale: float) -> dict[str, tuple[Conditional, Any]]:
    """Each with scipy's distribution of one coordinate of its noise."""
    return {
        "normal": (ProjectedNormal(v, scale=scale), stats.norm(scale=scale)),
        "laplace": (ProjectedLaplace(v, scale=scale), stats.laplace(scale=scale)),
        "1.5": (
            ProjectedGeneralizedNormal(v, scale=scale, exponent=1.5),
            stats.gennorm(1.5, scale=scale),
        ),
        "4": (
            ProjectedGeneralizedNormal(v, scale=scale, exponent=4.0),
            stats.gennorm(4, scale=scale),
        ),
    }


NAMES = ["normal", "laplace", "1.5", "4"]


def by_quadrature(noise: Any, z: Tensor, v: Tensor) -> float:
    """The ray integral of scipy's density: 400 panels of 12 nodes between any two kinks."""
    at, mean = (torch.nn.functional.normalize(a.double(), dim=0).numpy() for a in (z, v))

    def log_integrand(r: np.ndarray) -> np.ndarray:
        value: np.ndarray = (len(at) - 1) * np.log(r) + noise.logpdf(r[:, None] * at - mean).sum(1)
        return value

    grid = np.linspace(0, 1 + 60 * noise.std(), 8001)[1:]
    near = np.flatnonzero(log_integrand(grid) > log_integrand(grid).max() - 40)
    low, high = grid[near[0]] - grid[0], grid[near[-1]] + grid[0]
    cuts = [low, *sorted(x for x in mean / at if low < x < high), high]
    panels = np.concatenate([np.linspace(a, b, 401)[:-1] for a, b in itertools.pairwise(cuts)])
    length = np.diff(np.append(panels, high))
    node, weight = np.polynomial.legendre.leggauss(12)
    r = (panels[:, None] + length[:, None] * (node + 1) / 2).ravel()
    weights = (length[:, None] * weight / 2).ravel()
    return float(special.logsumexp(log_integrand(r), b=weights))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dim", "scale"), [(2, 0.3), (3, 2.0), (5, 0.1), (5, 1.0), (20, 0.5)])
def test_log_density_is_the_ray_integral(name: str, dim: int, scale: float) -> None:
    v = unit(2, dim, seed=0)
    z = torch.cat([v[:1], -v[:1], unit(2, dim, seed=1)])
    conditional, noise = families(v, scale)[name]
    got = conditional.log_density(z)
    expected = [[by_quadrature(noise, a, b) for b in v] for a in z]
    np.testing.assert_allclose(got, expected, atol=2e-5 if name == "1.5" else 5e-6)


@pytest.mark.parametrize("name", NAMES)
def test_density_integrates_to_one(name: str) -> None:
    turn = torch.linspace(0, 2 * math.pi, 20_001, dtype=torch.float64)[1:]
    circle = torch.stack([turn.cos(), turn.sin()], dim=1)
    conditional, _ = families(unit(3, 2, seed=2), 0.4)[name]
    total = conditional.log_density(circle).exp().mean(0) * 2 * math.pi
    np.testing.assert_allclose(total, 1, atol=1e-5)
    for dim in (3, 5):
        conditional, _ = families(unit(3, dim, seed=2), 1.0)[name]
        area = 2 * math.pi ** (dim / 2) / math.gamma(dim / 2)
        density = conditional.log_density(unit(20_000, dim, seed=3)).exp() * area
        error = density.std(0) / math.sqrt(20_000)
        assert bool(((density.mean(0) - 1).abs() < 4 * error).all())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [0.2, 1.0])
def test_samples_follow_the_density_on_the_circle(name: str, scale: float) -> None:
    v = unit(3, 2, seed=5)
    conditional, _ = families(v, scale)[name]
    z = conditional.sample(torch.ones(20_000, dtype=torch.long), generator=torch.Generator())
    assert z.dtype == torch.float32
    assert float((z.norm(dim=1) - 1).abs().max()) < 1e-6
    edges = np.linspace(-np.pi, np.pi, 41)
    counts, _ = np.histogram(torch.atan2(z[:, 1], z[:, 0]).numpy(), bins=edges)
    fine = torch.linspace(-math.pi, math.pi, 40 * 200 + 1, dtype=torch.float64)
    fine = (fine[1:] + fine[:-1]) / 2
    density = conditional.log_density(torch.stack([fine.cos(), fine.sin()], dim=1))[:, 1].exp()
    expected = density.reshape(40, 200).sum(1).numpy()
    expected *= len(z) / expected.sum()
    big = expected > 5
    rest = [counts[~big].sum()], [expected[~big].sum() + 1e-9]
    found = np.concatenate([counts[big], rest[0]])
    assert stats.chisquare(found, np.concatenate([expected[big], rest[1]])).pvalue > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_samples_follow_the_density_in_five_dimensions(name: str) -> None:
    """E_v[p(z|w) / p(z|v)] = 1 for every other centre w: importance weights average to one."""
    v = torch.nn.functional.normalize(unit(1, 5, seed=6) + 0.4 * unit(4, 5, seed=7))
    conditional, _ = families(v, 1.0)[name]
    z = conditional.sample(torch.zeros(10_000, dtype=torch.long), generator=torch.Generator())
    log_p = conditional.log_density(z)
    ratio = (log_p - log_p[:, :1]).exp()[:, 1:]
    error = ratio.std(0) / math.sqrt(len(z))
    assert bool(((ratio.mean(0) - 1).abs() < 4 * error).all())


def test_generalized_normal_holds_the_other_two() -> None:
    v, z = unit(4, 5, seed=0), unit(30, 5, seed=1)
    square = ProjectedGeneralizedNormal(v, scale=0.7 * 2**0.5, exponent=2.0).log_density(z)
    np.testing.assert_allclose(square, ProjectedNormal(v, scale=0.7).log_density(z), atol=1e-6)
    first = ProjectedGeneralizedNormal(v, scale=0.7, exponent=1.0).log_density(z)
    np.testing.assert_array_equal(first, ProjectedLaplace(v, scale=0.7).log_density(z))


@pytest.mark.parametrize("name", NAMES)
def test_extremes_stay_finite(name: str) -> None:
    for dim, scale in [(2, 0.01), (2, 100.0), (1024, 0.1)]:
        v = unit(2, dim, seed=0)
        v[0] = torch.eye(dim)[0]  # zeros among the coordinates
        conditional, _ = families(v, scale)[name]
        assert bool(conditional.log_density(torch.cat([v, -v])).isfinite().all())


def test_one_scale_per_centre() -> None:
    v, z = unit(2, 5, seed=0), unit(9, 5, seed=1)
    both = torch.tensor([0.3, 2.0])
    for kind in (ProjectedNormal, ProjectedLaplace):
        mixed = kind(v, scale=both).log_density(z)
        for j in range(2):
            alone = kind(v, scale=float(both[j])).log_density(z)[:, j]
            np.testing.assert_allclose(mixed[:, j], alone, atol=1e-7)
        z_far = kind(v, scale=both).sample(
            torch.arange(2).repeat(2000), generator=torch.Generator()
        )
        assert float((z_far[::2] @ v[0]).mean()) > float((z_far[1::2] @ v[1]).mean()) + 0.1


@pytest.mark.parametrize("bad", [0.0, math.nan, math.inf])
def test_points_without_a_direction(bad: float) -> None:
    z = unit(3, 3, seed=1)
    z[1] = bad
    for conditional, _ in families(unit(2, 3, seed=0), 1.0).values():
        with pytest.raises(InputError, match="1 of 3 rows are not"):
            conditional.log_density(z)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_bad_scale(bad: float) -> None:
    with pytest.raises(InputError, match="scale must be finite and > 0"):
        ProjectedLaplace(unit(2, 3, seed=0), scale=bad)


@pytest.mark.parametrize("bad", [0.5, math.nan, math.inf])
def test_bad_exponent(bad: float) -> None:
    with pytest.raises(InputError, match="exponent must be finite and at least 1"):
        ProjectedGeneralizedNormal(unit(2, 3, seed=0), scale=1.0, exponent=bad)


def test_scale_too_small_for_the_exponent() -> None:
    with pytest.raises(InputError, match=r"scale must be at least 0\.02 for exponent 6"):
        ProjectedGeneralizedNormal(unit(2, 3, seed=0), scale=0.01, exponent=6.0)
