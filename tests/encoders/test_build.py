"""Which encoder a config makes for vectors, and which for images."""

from typing import Any

import torch

from identikit.encoders.build import build_encoder
from identikit.encoders.cnn import CNN
from identikit.encoders.config import EncoderConfig
from identikit.encoders.mlp import MLP


def build(x: torch.Tensor, **config: Any) -> torch.nn.Module:
    return build_encoder(
        EncoderConfig(**config), x, out_dim=3, generator=torch.Generator().manual_seed(0)
    )


def test_vectors_are_whitened_and_images_are_vectors_of_pixels_to_an_mlp() -> None:
    x = torch.rand(500, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    flat = build(x.flatten(1))
    assert isinstance(flat, MLP)
    assert not torch.equal(flat.whitening, torch.eye(128))
    torch.testing.assert_close(build(x)(x), flat(x.flatten(1)))


def test_a_cnn_fits_the_images_and_has_a_hidden_layer() -> None:
    x = torch.rand(5, 2, 16, 16)
    encoder = build(x, architecture="cnn", width=32, depth=2, negative_slope=0.3)
    assert isinstance(encoder, CNN)
    assert encoder(x).shape == (5, 3)
    convolutions = [m for m in encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(m.in_channels, m.out_channels) for m in convolutions] == [(2, 8), (8, 16)]
    assert encoder.out.in_features == 32
    slopes = [m.negative_slope for m in encoder.modules() if isinstance(m, torch.nn.LeakyReLU)]
    assert slopes == [0.3] * 3
