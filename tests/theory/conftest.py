from typing import Any

import pytest
import torch

from identikit.theory.cases import Case
from identikit.theory.optimum import Start
from identikit.worlds.config import WorldConfig
from identikit.worlds.world import ClusterWorld


def make_world(*, labels: int | None = None, seed: int = 0, **options: Any) -> ClusterWorld:
    config = WorldConfig(**{"generator": "identity", **options})
    return ClusterWorld(config, labels=labels or config.classes, seed=seed)


def knows_nothing(logits: torch.Tensor, *, m: int, case: Case, clip: float) -> Start:
    """A start that knows nothing."""
    generator = torch.Generator().manual_seed(0)
    options: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    return Start(
        features=torch.zeros(len(logits), m, dtype=torch.float64),
        rows=0.5 * torch.randn(logits.shape[1], m, **options),
        log_scale=0.0,
    )


@pytest.fixture
def ignorant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search starts from nothing that theory knows."""

    def linear(z: torch.Tensor, logits: torch.Tensor, *, m: int, case: Case) -> Start:
        return knows_nothing(logits, m=m, case=case, clip=0.0)

    monkeypatch.setattr("identikit.theory.optimum.singular_start", knows_nothing)
    monkeypatch.setattr("identikit.theory.optimum.linear_start", linear)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)
