"""The MLPs: whitening, shapes of both architectures, and where their weights come from."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.cases import mixing
from torch import nn

from identikit.core.errors import InputError
from identikit.encoders.config import EncoderConfig
from identikit.encoders.mlp import GAIN, MLP

PLAIN = EncoderConfig()
PAPER = EncoderConfig(architecture="paper")


def build(config: EncoderConfig = PLAIN, *, in_dim: int = 3, seed: int = 0) -> MLP:
    return MLP(config, in_dim, 4, generator=torch.Generator().manual_seed(seed))


def linears(encoder: MLP) -> list[nn.Linear]:
    return [layer for layer in encoder.layers if isinstance(layer, nn.Linear)]


def correlated(n: int = 5000, *, scale: float = 1.0) -> torch.Tensor:
    """Observations far from white: singular values of the mixing 1 to 3, and a shift."""
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return (scale * (z @ mixing(3, generator) + 5)).float()


def whitened(encoder: MLP, x: torch.Tensor) -> np.ndarray:
    """What the first layer gets to see."""
    seen: list[torch.Tensor] = []
    handle = encoder.layers[0].register_forward_pre_hook(lambda _module, args: seen.extend(args))
    encoder.eval()(x)
    handle.remove()
    return seen[0].double().numpy()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_whitened_inputs_have_no_mean_and_identity_covariance(scale: float) -> None:
    encoder, x = build(), correlated(scale=scale)
    encoder.fit_whitening(x)
    seen = whitened(encoder, x)
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(seen.T, bias=True), np.eye(3), atol=1e-5)


def test_whitening_uses_the_moments_it_was_fitted_to() -> None:
    encoder, x = build(), correlated()
    encoder.fit_whitening(x)
    np.testing.assert_allclose(whitened(encoder, x[:7]), whitened(encoder, x)[:7], atol=1e-5)


def test_without_whitening_inputs_stay_as_they_are() -> None:
    encoder, x = build(EncoderConfig(whiten=False)), correlated()
    encoder.fit_whitening(x)
    np.testing.assert_array_equal(whitened(encoder, x), x.double().numpy())


def test_whitening_is_saved_with_the_weights_and_not_trained() -> None:
    encoder, x = build(), correlated()
    encoder.fit_whitening(x)
    copy = build(seed=1)
    copy.load_state_dict(encoder.state_dict())
    assert torch.equal(copy(x), encoder(x))
    assert not {"mean", "whitening"} & {name for name, _ in encoder.named_parameters()}


def test_a_constant_observation_is_not_blown_up() -> None:
    x = correlated()
    x[:, 1] = 7.0
    encoder = build()
    encoder.fit_whitening(x)
    seen = whitened(encoder, x)
    values = np.linalg.eigvalsh(np.cov(seen.T, bias=True))
    np.testing.assert_allclose(values[1:], 1, atol=1e-4)
    assert values[0] < 1e-3


def test_fewer_samples_than_dimensions_still_whiten() -> None:
    encoder = build(in_dim=6)
    x = torch.randn(4, 6, generator=torch.Generator())
    encoder.fit_whitening(x)
    assert encoder(x).isfinite().all()


@pytest.mark.parametrize("value", [0.1, float("nan"), float("inf")])
def test_observations_without_finite_spread_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="finite and vary"):
        build().fit_whitening(torch.full((10, 3), value))


def test_paper_architecture_has_the_widths_of_the_paper() -> None:
    encoder = build(PAPER)
    shapes = [(layer.in_features, layer.out_features) for layer in linears(encoder)]
    assert shapes == [(3, 30), (30, 150), (150, 150), (150, 150), (150, 150), (150, 30), (30, 4)]
    kinds = [type(layer) for layer in encoder.layers]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU] * 6 + [nn.Linear]


def test_paper_weights_start_as_those_of_pytorch() -> None:
    for layer in linears(build(PAPER)):
        bound = layer.in_features**-0.5
        assert layer.weight.abs().max() <= bound
        assert layer.bias.abs().max() <= bound
        # A uniform variable within the bound; 5 standard errors of its standard deviation.
        spread = float(layer.weight.detach().std()) * 3**0.5 / bound
        assert abs(spread - 1) < 5 * (0.2 / layer.weight.numel()) ** 0.5


def test_plain_architecture_is_as_wide_and_deep_as_told() -> None:
    encoder = build(EncoderConfig(width=8, depth=2, negative_slope=0.3))
    shapes = [(layer.in_features, layer.out_features) for layer in linears(encoder)]
    assert shapes == [(3, 8), (8, 8), (8, 4)]
    slopes = [layer.negative_slope for layer in encoder.layers if isinstance(layer, nn.LeakyReLU)]
    assert slopes == [0.3, 0.3]
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in encoder.layers)


def test_plain_weights_start_orthogonal() -> None:
    for layer in linears(build()):
        values = np.linalg.svd(layer.weight.detach().double().numpy(), compute_uv=False)
        np.testing.assert_allclose(values, GAIN, rtol=1e-5)
        assert not layer.bias.any()


@pytest.mark.parametrize("config", [PLAIN, PAPER], ids=["plain", "paper"])
def test_weights_come_from_the_generator_alone(config: EncoderConfig) -> None:
    x = correlated(20)
    torch.manual_seed(1)
    first = build(config)(x)
    torch.manual_seed(2)
    assert torch.equal(first, build(config)(x))
    assert not torch.equal(first, build(config, seed=1)(x))


def test_double_precision_agrees_with_single() -> None:
    encoder, x = build(), correlated(200)
    encoder.fit_whitening(x)
    single = encoder(x)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(
        encoder.double()(x.double()).detach(), single.detach(), rtol=1e-4, atol=1e-4
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_weights_and_whitening_live_where_the_generator_does() -> None:
    encoder = MLP(PLAIN, 3, 4, generator=torch.Generator("cuda"))
    encoder.fit_whitening(correlated().cuda())
    assert {t.device.type for t in encoder.state_dict().values()} == {"cuda"}
    assert encoder(correlated().cuda()).isfinite().all()


@pytest.mark.parametrize("field", ["width", "depth"])
def test_sizes_that_cannot_be_are_named(field: str) -> None:
    size: dict[str, Any] = {field: 0}
    with pytest.raises(InputError, match=f"encoder {field} must be at least 1; got 0"):
        EncoderConfig(**size)
