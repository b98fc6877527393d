"""The two families off the sphere, against scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.conditionals import Gaussian, TruncatedLaplace, random_covariances


def unit(n: int, d: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(n, d, generator=generator))


def first_of(n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.long)


@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0])
def test_truncated_laplace_samples_follow_scipys_truncated_distribution(scale: float) -> None:
    v = unit(2, 3, seed=0)
    z = TruncatedLaplace(v, scale=scale).sample(first_of(5000), generator=torch.Generator())
    assert float(z.abs().max()) <= 2
    for j in range(3):
        noise = stats.laplace(float(v[0, j]), scale)
        low, high = noise.cdf([-2, 2])
        cut = stats.kstest(z[:, j], lambda x: (noise.cdf(x) - low) / (high - low))  # noqa: B023
        assert cut.pvalue > 1e-3


def test_truncated_laplace_density_is_scipys_and_zero_outside() -> None:
    v = unit(2, 3, seed=0)
    z = torch.empty(20, 3).uniform_(-2, 2, generator=torch.Generator())
    z[0, 1] = 2.5
    scale = torch.tensor([0.3, 4.0])
    got = TruncatedLaplace(v, scale=scale).log_density(z)
    for k in range(2):
        noise = stats.laplace(v[k].double().numpy(), float(scale[k]))
        mass = noise.cdf(2.0) - noise.cdf(-2.0)
        expected = (noise.logpdf(z.double().numpy()) - np.log(mass)).sum(1)
        np.testing.assert_allclose(got[1:, k], expected[1:], atol=1e-6)
    assert bool((got[0] == -math.inf).all())


@pytest.mark.parametrize("shared", [True, False])
def test_gaussian_is_scipys(shared: bool) -> None:
    v = unit(2, 4, seed=0)
    drawn = random_covariances(2, dim=4, generator=torch.Generator())
    covariance = drawn[0] if shared else drawn
    conditional = Gaussian(v, covariance=covariance)
    z = conditional.sample(torch.ones(40_000, dtype=torch.long), generator=torch.Generator())
    own = drawn[0] if shared else drawn[1]
    np.testing.assert_allclose(np.cov(z.T.numpy()), own, atol=0.06)
    np.testing.assert_allclose(z.mean(0), v[1], atol=0.03)
    for k in range(2):
        own = drawn[0] if shared else drawn[k]
        reference = stats.multivariate_normal(v[k].double().numpy(), own.numpy())
        expected = reference.logpdf(z[:50].double().numpy())
        np.testing.assert_allclose(conditional.log_density(z[:50])[:, k], expected, atol=1e-9)


def test_random_covariances_are_well_conditioned() -> None:
    values = torch.linalg.eigvalsh(
        random_covariances(50, dim=6, generator=torch.Generator().manual_seed(1))
    )
    assert float(values.min()) >= 0.5
    assert float(values.max()) <= 2.0
    assert float(values.max() / values.min()) > 3


def test_bad_bound_and_covariance() -> None:
    v = unit(2, 3, seed=0)
    with pytest.raises(InputError, match="bound must exceed"):
        TruncatedLaplace(v, scale=1.0, bound=0.1)
    with pytest.raises(InputError, match=r"covariance must have shape \(3, 3\)"):
        Gaussian(v, covariance=torch.eye(4))
    with pytest.raises(InputError, match="positive definite"):
        Gaussian(v, covariance=-torch.eye(3))
