"""The closed loop: two encoders trained in one world agree on what their heads cover, and there."""

from typing import Any

import pytest
import torch
from torch import Tensor

import identikit
from identikit.core.randomness import stream
from identikit.encoders.config import EncoderConfig
from identikit.encoders.mlp import MLP
from identikit.objectives.config import HeadConfig
from identikit.objectives.curriculum import build_head
from identikit.training.config import TrainingConfig
from identikit.training.fit import fit_network
from identikit.worlds.config import WorldConfig
from identikit.worlds.world import ClusterWorld

CLASSES, DIM = 5, 10


def trained(world: ClusterWorld, x: Tensor, *, seed: int, steps: int) -> tuple[Tensor, Tensor]:
    """Features of x and the rows of the head."""
    encoder = MLP(EncoderConfig(), x.shape[1], DIM, generator=stream(seed, "encoder"))
    encoder.fit_whitening(world.sample(1000, generator=stream(seed, "whitening")).x)
    head = build_head(HeadConfig(), world.n_labels, DIM, generator=stream(seed, "head"))

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        sample = world.sample(n, generator=generator)
        return sample.x, sample.label

    if steps:
        fit_network(encoder, head, draw=draw, config=TrainingConfig(steps=steps), seed=seed)
    with torch.no_grad():
        return head.features(encoder(x)), head.rows().detach()


@pytest.mark.slow
def test_two_seeds_agree_where_theory_says_so_and_an_untrained_twin_does_not() -> None:
    world = ClusterWorld(WorldConfig(dim=4, classes=CLASSES), labels=CLASSES, seed=0)
    x = world.sample(3000, generator=stream(0, "fresh")).x
    first, second, untrained = (
        trained(world, x, seed=seed, steps=steps) for seed, steps in ((1, 800), (2, 800), (3, 0))
    )
    found = r2(first, second)
    assert found["head row space"] > 0.95
    assert found["complement"] < found["head row space"] - 0.2
    assert r2(first, untrained)["head row space"] < found["head row space"] - 0.05


def r2(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> dict[str, float]:
    """The lesser of both ways, for each part."""
    options: dict[str, Any] = {"resamples": 100, "shuffles": 0}
    comparison = identikit.compare(
        first[0], second[0], head_a=first[1], head_b=second[1], **options
    )
    return {
        space.name: min(space["r2_ab"].estimate.value, space["r2_ba"].estimate.value)
        for space in comparison.spaces
    }
