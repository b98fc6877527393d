"""What can be told apart, and how many samples that takes: against simulations and references."""

import numpy as np
import pytest
import torch
from scipy.stats import special_ortho_group
from sklearn.decomposition import FastICA
from torch import Tensor

from identikit.unmixing.planes import (
    Planes,
    contrast_signs,
    enough_samples,
    expected_correlation,
    gain_variance,
    random_correlations,
)

KINDS = ("uniform", "laplace", "gaussian", "sphere")


def drawn(kind: str, n: int, k: int, *, seed: int = 0) -> Tensor:
    """Standardised, independent but for the sphere."""
    rng = np.random.default_rng(seed)
    if kind == "uniform":
        found = rng.uniform(-(3**0.5), 3**0.5, size=(n, k))
    elif kind == "laplace":
        found = rng.laplace(scale=0.5**0.5, size=(n, k))
    else:
        found = rng.normal(size=(n, k))
        if kind == "sphere":
            found *= (k**0.5) / np.linalg.norm(found, axis=1, keepdims=True)
    return torch.from_numpy(found)


@pytest.mark.parametrize(
    ("kind", "alone"), [("uniform", 3), ("laplace", 3), ("gaussian", 0), ("sphere", 0)]
)
def test_planes_of_isotropic_data_are_not_determined(kind: str, alone: int) -> None:
    s = drawn(kind, 3000, 3)
    planes = Planes.of(s, contrast_signs(s))
    assert int(planes.alone.sum()) == alone
    assert len(set(planes.group)) == (3 if alone else 1)


def test_one_gaussian_factor_is_determined_by_the_others_and_two_are_not() -> None:
    one = torch.cat([drawn("gaussian", 4000, 1), drawn("uniform", 4000, 2, seed=1)], dim=1)
    assert Planes.of(one, contrast_signs(one)).alone.tolist() == [True, True, True]
    two = torch.cat([drawn("gaussian", 4000, 2), drawn("uniform", 4000, 2, seed=1)], dim=1)
    planes = Planes.of(two, contrast_signs(two))
    assert planes.alone.tolist() == [False, False, True, True]
    assert planes.group[0] == planes.group[1]


def test_curvature_is_that_of_the_contrast_under_a_turn() -> None:
    s = drawn("laplace", 500, 2)
    sign = contrast_signs(s)
    assert sign.tolist() == [-1, -1]

    def contrast(angle: float) -> float:
        c, d = np.cos(angle), np.sin(angle)
        y = s @ torch.tensor([[c, -d], [d, c]], dtype=torch.float64)
        return float((sign * torch.log(torch.cosh(y))).mean(dim=0).sum())

    step = 1e-3
    second = (contrast(step) + contrast(-step) - 2 * contrast(0)) / step**2
    assert Planes.of(s, sign).curvature[0, 1].item() == pytest.approx(-second, rel=1e-4)


@pytest.mark.parametrize("kind", ["gaussian", "sphere"])
def test_planes_of_isotropic_data_are_determined_by_chance_in_one_case_of_twenty(kind: str) -> None:
    hits = 0
    for seed in range(100):
        s = drawn(kind, 300, 3, seed=seed)
        hits += int(Planes.of(s, contrast_signs(drawn(kind, 300, 3, seed=seed + 100))).alone.any())
    assert hits <= 12  # the probability of more is 0.001


def test_the_variance_of_the_gain_is_that_of_simulated_icas() -> None:
    n, k, gains = 2000, 3, []

    def factors(n: int, seed: int) -> Tensor:
        return torch.cat([drawn("laplace", n, 1, seed=seed), drawn("uniform", n, 2, seed=seed)], 1)

    for seed in range(100):
        s = factors(n, seed)
        s = s / s.std(dim=0)
        turn = special_ortho_group.rvs(k, random_state=seed)
        model = FastICA(k, random_state=seed, tol=1e-6, max_iter=500, whiten="unit-variance")
        model.fit((s.numpy() - s.numpy().mean(0)) @ turn)
        gain = model.components_ @ turn.T
        own = np.abs(gain).argmax(axis=1)
        gains.append(gain[np.argsort(own)] ** 2)
    found, wanted = n * np.mean(gains, axis=0), gain_variance(factors(100_000, 1000)).numpy()
    for rows, columns in (([0, 0], [1, 2]), ([1, 2], [0, 0]), ([1, 2], [2, 1])):
        assert found[rows, columns].mean() == pytest.approx(wanted[rows, columns].mean(), rel=0.2)


def test_expected_correlations_and_enough_samples_are_two_sides_of_one_formula() -> None:
    s = torch.cat([drawn("laplace", 5000, 2), drawn("uniform", 5000, 2, seed=1)], dim=1)
    n = enough_samples(s, correlation=0.97)
    assert expected_correlation(s, n=round(n)).min().item() == pytest.approx(0.97, abs=1e-3)
    assert expected_correlation(s, n=10**9).min().item() == pytest.approx(1, abs=1e-6)


def test_a_random_rotation_of_two_factors_has_the_mean_of_its_larger_part() -> None:
    mean, each = random_correlations(components=2, factors=2)
    assert mean.value == pytest.approx(4 / np.pi * np.sin(np.pi / 4), abs=0.01)
    assert each.low <= mean.low < mean.value < mean.high <= each.high
    wide, _ = random_correlations(components=30, factors=2)
    assert wide.value < mean.value
