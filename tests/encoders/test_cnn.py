"""The small CNN: shapes, where its randomness comes from, and that it learns."""

import pytest
import torch

from identikit.core.errors import InputError
from identikit.encoders.cnn import CNN


def cnn(seed: int = 0, *, side: int = 32) -> CNN:
    return CNN(width=4, out_dim=6, generator=torch.Generator().manual_seed(seed), side=side)


@pytest.mark.parametrize("side", [8, 32, 64])
def test_images_become_vectors(side: int) -> None:
    h = cnn(side=side).eval()(torch.rand(3, side, side))
    assert h.shape == (3, 6)
    assert h.dtype == torch.float32


def test_weights_come_from_the_generator_alone() -> None:
    x = torch.rand(2, 32, 32)
    torch.manual_seed(1)
    first = cnn().eval()(x)
    torch.manual_seed(2)
    assert torch.equal(first, cnn().eval()(x))
    assert not torch.equal(first, cnn(seed=1).eval()(x))


def test_layers_double_their_channels_and_halve_their_sides() -> None:
    shapes: list[tuple[int, ...]] = []
    encoder = cnn()
    for layer in encoder.body:
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:])))
    encoder(torch.rand(2, 32, 32))
    assert shapes == [(4, 16, 16), (8, 8, 8), (16, 4, 4)]


def test_evaluation_treats_every_image_by_itself() -> None:
    encoder, x = cnn().eval(), torch.rand(5, 32, 32)
    torch.testing.assert_close(encoder(x)[:2], encoder(x[:2]), rtol=1e-5, atol=1e-6)


def test_it_learns_where_a_bright_spot_is() -> None:
    generator = torch.Generator().manual_seed(0)
    place = torch.randint(32, (64, 2), generator=generator)
    x = torch.zeros(64, 32, 32)
    x[torch.arange(64), place[:, 0], place[:, 1]] = 1
    target = (place - 15.5) / 9.2
    encoder, head = cnn(), torch.nn.Linear(6, 2)
    steps = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-2)
    for _ in range(60):
        loss = (head(encoder(x)) - target).square().mean()
        steps.zero_grad()
        loss.backward()
        steps.step()
    assert loss < 0.1


@pytest.mark.parametrize(
    ("change", "words"),
    [({"side": 30}, "multiple of 8"), ({"width": 0}, "at least 1"), ({"out_dim": 0}, "at least 1")],
)
def test_sizes_that_cannot_be_are_named(change: dict[str, int], words: str) -> None:
    arguments = {"width": 4, "out_dim": 6, "side": 32} | change
    with pytest.raises(InputError, match=words):
        CNN(**arguments, generator=torch.Generator())
