"""The start from observations alone: it undoes leaky ReLUs without a label."""

import pytest
import torch
from tests.cases import mixing
from torch import Tensor
from torch.nn import functional as F

from identikit.core.linalg import least_squares, r2_score
from identikit.encoders.build import build_encoder
from identikit.encoders.config import EncoderConfig
from identikit.encoders.mlp import MLP
from identikit.training import flow_start

SLOPE = 0.2
DIM = 6


def linear_r2(h: Tensor, z: Tensor) -> float:
    half = len(h) // 2
    return float(r2_score(least_squares(h[:half], z[:half]).predict(h[half:]), z[half:]).mean())


class World:
    """x = B s(A z), or B s(A' s(A z)), of normal z; no matrix is a rotation."""

    def __init__(self, layers: int) -> None:
        generator = torch.Generator().manual_seed(layers)
        self.maps = [mixing(DIM, generator).float() for _ in range(layers + 1)]
        self.draws = torch.Generator().manual_seed(9)
        self.seen = 0

    def latents(self, n: int) -> Tensor:
        return torch.randn(n, DIM, generator=self.draws)

    def observe(self, z: Tensor) -> Tensor:
        x = z @ self.maps[0]
        for matrix in self.maps[1:]:
            x = F.leaky_relu(x, SLOPE) @ matrix
        return x

    def draw(self, n: int) -> Tensor:
        self.seen += n
        return self.observe(self.latents(n))

    def encoder(self, depth: int) -> MLP:
        config = EncoderConfig(architecture="flow", depth=depth, negative_slope=SLOPE)
        generator = torch.Generator().manual_seed(0)
        made = build_encoder(config, self.draw(4096), out_dim=DIM, generator=generator)
        assert isinstance(made, MLP)
        self.seen = 0
        return made


@pytest.mark.parametrize(("layers", "steps"), [(1, 200), (2, 500)])
def test_layers_are_undone_without_a_label(layers: int, steps: int) -> None:
    world = World(layers)
    encoder = world.encoder(layers)
    z = world.latents(4096)
    with torch.no_grad():
        before = linear_r2(encoder(world.observe(z)), z)
    flow_start.flow_start(encoder, world.draw, steps=steps)
    with torch.no_grad():
        h = encoder(world.observe(z))
    assert before < 0.95
    assert linear_r2(h, z) > 0.99
    torch.testing.assert_close(torch.cov(h.T), 1.44 * torch.eye(DIM), atol=0.2, rtol=0)
    torch.testing.assert_close(h.mean(0), torch.zeros(DIM), atol=0.1, rtol=0)


def test_all_observations_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_start, "ICA_SAMPLES", 2048)
    world = World(2)
    flow_start.flow_start(world.encoder(2), world.draw, steps=6)
    assert world.seen == flow_start.observations_needed(2, 6)


def test_the_encoder_is_the_flow_but_for_a_linear_map() -> None:
    """Signs and slopes: the encoder's leaky ReLUs do what the flow's inverse ones do."""
    world = World(2)
    encoder = world.encoder(2)
    flow_start.flow_start(encoder, world.draw, steps=10)
    x = world.draw(2000)
    first, second, _ = encoder.linears()
    shifted = x @ encoder.whitening
    weights = [-first.weight, second.weight * SLOPE]
    with torch.no_grad():
        made = flow_start.flow(weights, shifted, SLOPE)
        assert linear_r2(encoder(x), made) == pytest.approx(1, abs=1e-6)


def test_skewest_components_are_the_independent_ones() -> None:
    generator = torch.Generator().manual_seed(3)
    sources = F.leaky_relu(torch.randn(20_000, DIM, generator=generator), SLOPE)
    x = sources @ mixing(DIM, generator).float() + 2
    found = x @ flow_start.skewest_components(x).T
    match = torch.corrcoef(torch.cat([found, sources], 1).T)[:DIM, DIM:]
    assert match.max(1).values.min() > 0.99  # upward as well
    assert match.max(1).indices.unique().numel() == DIM
    torch.testing.assert_close(found.std(0), torch.ones(DIM), atol=1e-3, rtol=0)
