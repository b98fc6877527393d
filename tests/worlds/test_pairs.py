"""Worlds of pairs: marginals, partners, and density ratios against scipy and by simulation."""

import numpy as np
import pytest
import torch
from scipy import stats

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.worlds.pairs import NormalPairs, UniformPairs

WORLDS = [UniformPairs(dim=3, kappa=4), NormalPairs(dim=3, correlation=0.7)]


@pytest.mark.parametrize("world", WORLDS, ids=["uniform", "normal"])
def test_both_views_have_the_marginal_and_their_correlation(
    world: UniformPairs | NormalPairs,
) -> None:
    first, second = world.sample_pairs(20_000, generator=stream(0, "pairs"))
    torch.testing.assert_close(first.x, world.generator(first.z))
    assert (first.label == second.label).all()
    for view in (first, second):
        moments = view.z.T @ view.z / len(view.z)
        assert view.z.mean(0).abs().max() < 0.03
        torch.testing.assert_close(moments / moments.trace() * 3, torch.eye(3), atol=0.04, rtol=0)
    together = float((first.z * second.z).sum() / first.z.square().sum())
    assert together == pytest.approx(world.correlation, abs=0.02)


@pytest.mark.parametrize("world", WORLDS, ids=["uniform", "normal"])
def test_the_ratio_has_a_mean_of_one_over_independent_points(
    world: UniformPairs | NormalPairs,
) -> None:
    z = world.sample(64, generator=stream(1, "z")).z
    other = world.sample(20_000, generator=stream(2, "z")).z
    means = world.log_ratio(z, other).exp().mean(1)
    assert float(means.mean()) == pytest.approx(1, abs=0.05)


def test_the_ratio_is_that_of_scipys_densities() -> None:
    z, other = WORLDS[1].sample_pairs(5, generator=stream(0, "few"))
    got = WORLDS[1].log_ratio(z.z, other.z).diagonal()
    given = stats.norm(0.7 * z.z.numpy(), (1 - 0.49) ** 0.5).logpdf(other.z.numpy())
    expected = (given - stats.norm.logpdf(other.z.numpy())).sum(1)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    z, other = WORLDS[0].sample_pairs(5, generator=stream(0, "few"))
    area = np.log(4 * np.pi)
    expected = [
        stats.vonmises_fisher(a / np.linalg.norm(a), 4).logpdf(b / np.linalg.norm(b)) + area
        for a, b in zip(z.z.double().numpy(), other.z.double().numpy(), strict=True)
    ]
    got = WORLDS[0].log_ratio(z.z, other.z).diagonal()
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_pairs_that_are_not_alike_or_all_equal_are_refused() -> None:
    with pytest.raises(InputError, match="kappa must be positive"):
        UniformPairs(dim=3, kappa=0)
    for correlation in (0.0, 1.0):
        with pytest.raises(InputError, match="correlation must be between 0 and 1"):
            NormalPairs(dim=3, correlation=correlation)
