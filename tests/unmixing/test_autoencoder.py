"""A top-k autoencoder: atoms that it must find, and no more entries than were asked for."""

import pytest
import torch

from identikit.core.randomness import stream
from identikit.unmixing import autoencoder
from identikit.unmixing.autoencoder import learn_autoencoder
from identikit.worlds.superposition import Superposition


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoencoder, "STEPS", 400)
    monkeypatch.setattr(autoencoder, "BATCH", 64)


def test_it_finds_directions_that_are_there_one_at_a_time() -> None:
    world = Superposition(factors=4, dim=8, active=1)
    sample = world.sample(1000, generator=stream(0, "sample"))
    h = sample.x.double()
    found = learn_autoencoder(h, codes=6, active=1, generator=stream(0, "start"))
    cosine = (world.atoms @ found.atoms.T).amax(dim=1)
    assert (cosine > 0.8).all()  # the centre is learned too, and not at 0
    y = found.encode(h)
    assert ((y > 0).sum(dim=1) <= 1).all()
    left = (y @ found.atoms.double() + found.centre - h).square().sum()
    assert left < 0.1 * (h - h.mean(dim=0)).square().sum()


def test_codes_grow_with_the_rows() -> None:
    h = Superposition(factors=4, dim=3, active=1).sample(200, generator=stream(0, "x")).x.double()
    one, large = (
        learn_autoencoder(h * size, codes=4, active=2, generator=stream(0, "start"))
        for size in (1, 1024)
    )
    torch.testing.assert_close(one.encode(h) * 1024, large.encode(h * 1024))
