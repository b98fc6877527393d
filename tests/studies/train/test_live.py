"""The live probe: what it is scored on, by features whose R² there is known by construction."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from identikit.core.factors import Factor, Factors, Kind
from identikit.studies.train.live import LiveProbe

N = 480
EVERY = torch.ones(N, dtype=torch.bool)


def factors(z: Tensor) -> Factors:
    return Factors([Factor(name="z", kind=Kind.CONTINUOUS, values=z.double())])


def r2(h: Tensor, z: Tensor, groups: np.ndarray | None, trained: Tensor = EVERY) -> float:
    probe = LiveProbe(factors(z), groups, trained)
    return probe(lambda rows: h[rows])["z"]


@pytest.mark.parametrize("count", [2, 4, 24])
def test_groups_are_held_out_whole(count: int) -> None:
    """Features and factor are one random value per group each, so a new group's cannot be read."""
    generator, group = torch.Generator().manual_seed(0), torch.arange(N) % count
    level = torch.randn(count, generator=generator)[group]
    z = level + 0.01 * torch.randn(N, generator=generator)
    h = one_hot(group) + 0.001 * torch.randn(N, count, generator=generator)
    assert r2(h, z, None) > 0.99
    assert r2(h, z, group.numpy().astype(str)) < 0


@pytest.mark.parametrize("count", [4, 24])
def test_images_that_are_not_trained_on_are_what_is_scored(count: int) -> None:
    z = torch.randn(N, generator=torch.Generator().manual_seed(1))
    group = torch.arange(N) % count
    trained = group != 1
    h = torch.where(trained, z, -z)[:, None]
    held = z[~trained]
    expected = 1 - 4 * float(held.square().sum() / (held - held.mean()).square().sum())
    assert r2(h, z, group.numpy(), trained) == pytest.approx(expected, rel=0.01)


def test_too_few_images_have_no_live_score() -> None:
    z = torch.randn(8, generator=torch.Generator().manual_seed(2))
    probe = LiveProbe(factors(z), None, EVERY[:8])
    assert probe(lambda rows: z[rows, None]) == {}
