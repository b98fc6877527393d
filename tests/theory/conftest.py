from typing import Any

import pytest
import torch

from identikit.theory.optimum import Start
from identikit.worlds.world import ClusterWorld, WorldConfig


def make_world(*, labels: int | None = None, seed: int = 0, **options: Any) -> ClusterWorld:
    config = WorldConfig(**{"generator": "identity", **options})
    return ClusterWorld(config, labels=labels or config.classes, seed=seed)


def knows_nothing(logits: torch.Tensor, *, m: int, unit: bool, clip: float) -> Start:
    """A start that knows nothing, in place of `singular_start`."""
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": torch.float64}
    return Start(
        features=torch.zeros(len(logits), m, dtype=torch.float64),
        rows=0.5 * torch.randn(logits.shape[1], m, **options),
        log_scale=0.0,
    )


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)
