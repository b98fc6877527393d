"""The four encoders of images: shapes, layers, streams of their own, and refusals."""

import pytest
import torch

from identikit.core.errors import InputError
from identikit.encoders.config import STAGED_ENCODERS
from identikit.encoders.staged import ENCODERS, WIDTH, staged_encoder


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 3, shape: tuple[int, int, int] = (2, 16, 16)) -> torch.Tensor:
    return torch.rand(n, *shape, generator=generator(9))


def test_options_name_every_encoder() -> None:
    assert tuple(ENCODERS) == STAGED_ENCODERS


@pytest.mark.parametrize("name", ENCODERS)
def test_h_has_the_stated_width_and_is_the_last_layer(name: str) -> None:
    encoder = staged_encoder(name, shape=(2, 16, 16), generator=generator()).eval()
    with torch.no_grad():
        h, layers = encoder(images()), encoder.layers(images())
    assert h.shape == (3, encoder.dim)
    assert encoder.dim == (512 if name == "pixels" else WIDTH)
    assert next(iter(layers)) == "pixels"
    assert list(layers)[-1] == "h"
    torch.testing.assert_close(layers["h"], h)
    torch.testing.assert_close(layers["pixels"], images().flatten(1))
    assert all(layer.ndim == 2 for layer in layers.values())


@pytest.mark.parametrize("name", ["linear", "mlp", "resnet18"])
def test_weights_come_from_the_generator_alone(name: str) -> None:
    first, same, other = (
        staged_encoder(name, shape=(1, 8, 8), generator=generator(seed)).state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_the_resnet_is_torchvisions() -> None:
    torchvision = pytest.importorskip("torchvision")
    net = torchvision.models.resnet18(weights=None).eval()
    encoder = staged_encoder("resnet18", shape=(3, 32, 32), generator=generator()).eval()
    own = [p for name, p in net.state_dict().items() if not name.startswith("fc.")]
    for mine, theirs in zip(encoder.state_dict().values(), own, strict=True):
        theirs.copy_(mine)
    net.fc = torch.nn.Identity()
    with torch.no_grad():
        x = images(2, (3, 32, 32))
        torch.testing.assert_close(encoder(x), net(x))


def test_pixels_learn_nothing_and_are_themselves() -> None:
    encoder = staged_encoder("pixels", shape=(2, 16, 16), generator=generator())
    assert not encoder.learns
    assert torch.equal(encoder(images()), images().flatten(1))


def test_unknown_names_and_images_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="Did you mean 'resnet18'"):
        staged_encoder("resnet-18", shape=(3, 32, 32), generator=generator())
    with pytest.raises(InputError, match="8 pixels"):
        staged_encoder("resnet18", shape=(3, 4, 4), generator=generator())
