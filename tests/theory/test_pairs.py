"""Pairs: ratio and spectrum in closed form, and the optima of objectives of pairs."""

import numpy as np
import pytest
import torch

from identikit.core.randomness import stream
from identikit.objectives.info_nce import contrastive_loss
from identikit.objectives.vicreg import VICReg
from identikit.objectives.views import interleaved
from identikit.theory.pairs import (
    info_nce_optimum,
    log_density_ratio,
    pair_functions,
    vicreg_optimum,
)
from identikit.worlds.config import WorldConfig
from identikit.worlds.pairs import NormalPairs, UniformPairs
from identikit.worlds.world import ClusterWorld


@pytest.fixture(scope="module")
def classes() -> ClusterWorld:
    return ClusterWorld(WorldConfig(dim=3, classes=12, kappa=5.0, label_exponent=0.5))


def test_the_ratio_of_classes_is_the_sum_over_what_a_pair_shares(classes: ClusterWorld) -> None:
    z = classes.sample(7, generator=stream(0, "z")).z
    each = classes.log_likelihood(z).exp()
    marginal = each @ classes.class_prior
    joint = (each * classes.class_prior) @ each.T
    expected = (joint / marginal / marginal[:, None]).log()
    torch.testing.assert_close(log_density_ratio(classes, z, z), expected)


def test_no_critic_of_a_batch_does_better_than_the_ratio(classes: ClusterWorld) -> None:
    generator = stream(0, "pairs")
    means = []
    for scale in (1.0, 0.7, 1.3):
        losses = []
        for _ in range(40):
            a, b = classes.sample_pairs(64, same="class", generator=generator)
            losses.append(float(contrastive_loss(scale * log_density_ratio(classes, a.z, b.z))))
        means.append(np.mean(losses))
    assert means[0] < min(means[1:])


def test_the_functions_are_eigenfunctions_of_the_pairs(classes: ClusterWorld) -> None:
    rho, phi, _ = pair_functions(classes, samples=4096, generator=stream(0, "phi"))
    torch.testing.assert_close(
        phi.T @ phi / 4096, torch.eye(len(rho), dtype=torch.float64), atol=1e-6, rtol=0
    )
    assert phi.mean(0).abs().max() < 0.05  # orthogonal to constants
    assert (rho.diff() <= 0).all()
    assert 0 < float(rho[0]) < 1


@pytest.mark.parametrize(
    "world", [UniformPairs(dim=3, kappa=6), NormalPairs(dim=3, correlation=0.8)]
)
def test_vicreg_recovers_the_coordinates_of_isotropic_pairs(
    world: UniformPairs | NormalPairs,
) -> None:
    optimum = vicreg_optimum(world, dim=3, samples=1024, generator=stream(0, "best"))
    assert optimum.procrustes_r2 == pytest.approx(1)
    assert optimum.loss == pytest.approx(50 * (1 - world.correlation), rel=1e-4)
    first, second = (view.z for view in world.sample_pairs(20_000, generator=stream(0, "z")))
    y = interleaved(first, second) / first.std()
    target = torch.arange(20_000).repeat_interleave(2)
    loss = VICReg().loss(y, target, generator=torch.Generator())
    assert float(loss) == pytest.approx(optimum.loss, rel=0.04)


def test_vicreg_of_classes_is_no_better_than_its_optimum(classes: ClusterWorld) -> None:
    optimum = vicreg_optimum(classes, dim=3, samples=4096, generator=stream(0, "best"))
    first, second = classes.sample_pairs(8192, same="class", generator=stream(0, "z"))
    y = interleaved(first.z, second.z) / first.z.std(0)
    target = torch.arange(8192).repeat_interleave(2)
    assert optimum.loss < float(VICReg().loss(y, target, generator=torch.Generator()))
    assert optimum.affine_r2 < 0.99


def test_info_nce_recovers_uniform_pairs_by_a_rotation_and_normal_ones_not() -> None:
    found = {
        type(world).__name__: info_nce_optimum(
            world, dim=2, samples=64, steps=120, generator=stream(0, "best")
        )
        for world in (UniformPairs(dim=2, kappa=4), NormalPairs(dim=2, correlation=0.8))
    }
    assert found["UniformPairs"].procrustes_r2 == pytest.approx(1, abs=1e-4)
    assert found["UniformPairs"].loss == pytest.approx(0, abs=1e-5)
    assert found["NormalPairs"].procrustes_r2 < 0.95
    assert found["NormalPairs"].loss > 0.1
