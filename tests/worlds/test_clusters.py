"""Cluster vectors lie on the sphere, spread as they were asked to."""

from typing import Any

import pytest
import torch

from identikit.worlds.clusters import draw_cluster_vectors
from identikit.worlds.config import CLUSTERS, WorldConfig
from identikit.worlds.projected import ProjectedLaplace

KINDS = list(CLUSTERS)


def draw(kind: str, *, scale: float = 1.0, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    options: dict[str, Any] = {} if kind == "uniform" else {"cluster_scale": scale}
    config = WorldConfig(clusters=kind, classes=2000, components=2, **options)
    return draw_cluster_vectors(config, generator=generator)


@pytest.mark.parametrize("kind", KINDS)
def test_unit_norm_and_repeatable(kind: str) -> None:
    v = draw(kind)
    assert v.shape == (4000, 5)
    assert float((v.norm(dim=1) - 1).abs().max()) < 1e-6
    assert torch.equal(v, draw(kind))
    assert not torch.equal(v, draw(kind, seed=1))


@pytest.mark.parametrize("kind", KINDS)
def test_centred_on_the_first_axis_unless_uniform(kind: str) -> None:
    near, far = draw(kind, scale=0.3).mean(0), draw(kind, scale=3.0).mean(0)
    assert float(near[1:].abs().max()) < 0.05
    if kind == "uniform":
        assert float(near.norm()) < 0.05
    else:
        assert float(near[0]) > float(far[0]) + 0.1 > 0.1


def test_laplace_is_the_projected_laplace_around_the_first_axis() -> None:
    v = draw("laplace")
    density = ProjectedLaplace(torch.eye(2, 5), scale=1.0).log_density(v)
    ratio = (density[:, 1] - density[:, 0]).exp()
    assert abs(float(ratio.mean()) - 1) < 4 * float(ratio.std()) / 4000**0.5
