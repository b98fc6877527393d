"""From a name to a model that is ready to be read."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from identikit.core.errors import InputError, optional_module
from identikit.encoders.adapters.hub_huggingface import HuggingFace
from identikit.encoders.adapters.hub_timm import Timm
from identikit.encoders.adapters.hub_torchvision import Torchvision
from identikit.encoders.adapters.layers import trace
from identikit.encoders.adapters.model import VisionModel
from identikit.encoders.adapters.own import Own
from identikit.encoders.adapters.source import Built, Source
from identikit.encoders.adapters.weights import load_weights, read_weights

HUBS: dict[str, Callable[[str], Source]] = {
    "timm": Timm,
    "torchvision": Torchvision,
    "hf": HuggingFace,
}


def load_model(
    name: str, *, pretrained: bool, checkpoint: Path | None = None, seed: int
) -> VisionModel:
    """A vision model in eval mode.

    Args:
        name: timm:NAME, torchvision:NAME, hf:NAME, or module:function.
        pretrained: With the hub's weights; otherwise with random ones.
        checkpoint: Local weights instead of either; a classifier gets as many classes as they
            have.
        seed: Of random weights: those that `torch.manual_seed(seed)` and the hub's own function
            give. The global generator is left as it was.

    Raises:
        InputError: an unknown model, weights that cannot be had or are not those of the model.
    """
    source = source_of(name)
    state = None if checkpoint is None else read_weights(checkpoint)
    download = pretrained and state is None
    with _seeded(seed):
        built = source.build(pretrained=download)
        if isinstance(source, Own) and not pretrained and state is None:
            source.refuse_loaded(built.network)
    trained = pretrained or state is not None
    model = _ready(name, built, trained=trained)
    if state is None or checkpoint is None:
        return model
    rows = state.get(f"{model.head}.weight")
    if rows is not None and len(rows) != len(model.head_weights()["W"]):
        with _seeded(seed):
            built = source.build(pretrained=False, classes=len(rows))
        model = _ready(name, built, trained=trained)
    load_weights(model.network, state, source=checkpoint)
    return model


def source_of(name: str) -> Source:
    """The source of a model by its name.

    Raises:
        InputError: a name of another form, or one that its hub does not know.
    """
    hub, colon, rest = name.partition(":")
    if not (hub and colon and rest):
        raise InputError(
            "a model is timm:NAME, torchvision:NAME, hf:NAME, or module:function of your own; "
            f"got {name!r}.{_hint(name)}"
        )
    return HUBS[hub](rest) if hub in HUBS else Own(hub, rest)


def _hint(name: str) -> str:
    """Where a name without its hub is known."""
    for hub in ("timm", "torchvision"):
        with contextlib.suppress(InputError):
            HUBS[hub](name)
            return f" Did you mean {hub}:{name}?"
    return ""


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The global generator, which hubs draw weights from, seeded and then put back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _ready(name: str, built: Built, *, trained: bool) -> VisionModel:
    """In eval mode, with its layers and its head found by a dry forward pass."""
    network = built.network.eval().requires_grad_(False)
    image = built.transform(_noise())
    if not isinstance(image, Tensor) or image.ndim != 3:
        got = f"shape {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
        raise InputError(
            f"the transform of {name} should make a tensor (channels, height, width) of a PIL "
            f"image; it made {got}."
        )
    layers, head = trace(built.forward, network, image[None].repeat(2, 1, 1, 1))
    if head is not None and not built.classifies:
        layers, head = layers[1:], None
    return VisionModel(
        name=name,
        network=network,
        forward=built.forward,
        transform=built.transform,
        image_shape=(image.shape[0], image.shape[1], image.shape[2]),
        layers=layers,
        head=head,
        trained=trained,
    )


def _noise() -> Any:
    pillow = optional_module("PIL.Image", what="reading of images", extra="vision")
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    return pillow.fromarray(pixels)
