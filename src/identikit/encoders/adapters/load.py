"""From a name to a model that is ready to be read."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from identikit.core.errors import InputError, in_words, optional_module
from identikit.encoders.adapters.forward import Forward
from identikit.encoders.adapters.hub_run import TrainedRun, is_trained_run
from identikit.encoders.adapters.hubs import hub_source, seeded
from identikit.encoders.adapters.model import ReadableModel
from identikit.encoders.adapters.own import Own
from identikit.encoders.adapters.source import Built, Source, Transform
from identikit.encoders.adapters.text import EXAMPLES
from identikit.encoders.adapters.trace import trace
from identikit.encoders.adapters.weights import load_weights, other_rows, read_weights

_SHOWN = 120
"""Characters of a transform in an error."""


def load_model(
    name: str,
    *,
    pretrained: bool,
    checkpoint: Path | None = None,
    seed: int,
    inputs: Callable[[Transform], Tensor] | None = None,
) -> ReadableModel:
    """A model in eval mode.

    Args:
        name: timm:NAME, torchvision:NAME, hf:NAME, module:function, or the folder of a run of
            `identikit train`.
        pretrained: With the hub's weights; otherwise with random ones.
        checkpoint: Local weights instead of either; a classifier gets as many classes as they
            have.
        seed: Of random weights: those that `torch.manual_seed(seed)` and the hub's own function
            give. The global generator is left as it was.
        inputs: Makes a few samples (n, ...) for the dry run with the model's transform; three
            pictures or sentences if not given.

    Raises:
        InputError: an unknown model, weights that cannot be had or are not those of the model.
    """
    source = source_of(name)
    with seeded(seed):
        if checkpoint is None:
            built = source.build(pretrained=pretrained)
            if isinstance(source, Own) and not pretrained:
                source.refuse_loaded(built.network)
            return _ready(name, built, trained=pretrained, inputs=inputs)
        state = read_weights(checkpoint)
        built = source.build(pretrained=False)
        classes = other_rows(built.network, state)
        if classes is not None:
            built = source.build(pretrained=False, classes=classes)
        load_weights(built.network, state, source=checkpoint)
        return _ready(name, built, trained=True, inputs=inputs)


def source_of(name: str) -> Source:
    """The source of a model by its name, or by the folder of the run that trained it.

    Raises:
        InputError: a name of another form, or one that its hub does not know.
    """
    return TrainedRun(Path(name)) if is_trained_run(Path(name)) else hub_source(name)


def _ready(
    name: str, built: Built, *, trained: bool, inputs: Callable[[Transform], Tensor] | None
) -> ReadableModel:
    """In eval mode, with its layers and its head found by a dry run over a few samples."""
    network = built.network
    try:
        network.cpu().eval()
    except Exception as error:
        raise InputError(
            f"{name} cannot be put into eval mode on the CPU: {in_words(error)}."
        ) from error
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dtype in (torch.float16, torch.bfloat16):
            tensor.data = tensor.data.float()
    if inputs is not None:
        x = inputs(built.transform)
    elif built.text:
        x = built.transform(EXAMPLES)
    else:
        x = torch.stack([_prepared(name, built, image) for image in _pictures()])
    words = re.sub(r" at 0x[0-9a-f]+", "", " ".join(repr(built.transform).split()))
    shown = words if len(words) <= _SHOWN else words[:_SHOWN] + " ..."
    source = f"transform {shown}" if inputs is None else "the data set"
    forward = Forward(
        name=name, network=network, call=built.forward, inputs=source, text=built.text
    )
    with _names_hidden_states(network) if built.text else contextlib.nullcontext():
        traced = trace(forward, x)
    for parameter in network.parameters():  # after the dry run, which makes those that are lazy
        parameter.requires_grad_(False)
    layers, head = traced.layers, traced.head
    if head is not None and not built.classifies:
        layers, head = layers[1:], None
    return ReadableModel(
        name=name,
        network=network,
        forward=forward,
        transform=built.transform,
        input_shape=tuple(x.shape[1:]),
        layers=layers,
        head=head,
        tokens=traced.tokens,
        trained=trained,
        causal=built.causal,
    )


@contextlib.contextmanager
def _names_hidden_states(network: Any) -> Iterator[None]:
    """Have a network return its hidden states as well, if it is one of transformers."""
    config = getattr(network, "config", None)
    if config is not None:
        config.output_hidden_states = True
    yield
    if config is not None:
        config.output_hidden_states = False


def _prepared(name: str, built: Built, image: Any) -> Tensor:
    """An image as the transform makes it, which must be the same every time.

    Raises:
        InputError: the transform fails, draws at random or makes something else than an image.
    """
    try:
        found, again = built.transform(image), built.transform(image)
    except Exception as error:
        raise InputError(
            f"the transform of {name} fails on an RGB image of {image.size[0]} x {image.size[1]} "
            f"pixels: {in_words(error)}."
        ) from error
    if not isinstance(found, Tensor) or found.ndim == 0:
        raise InputError(
            f"the transform of {name} should make a tensor of a PIL image, (channels, height, "
            f"width) as a rule; it made {type(found).__name__}."
        )
    if not same_values(found, again):
        raise InputError(
            f"the transform of {name} makes something else of the same image each time (a random "
            "crop or flip, perhaps). Give one without chance, as for evaluation."
        )
    return found


def same_values(x: Tensor, y: Tensor) -> bool:
    """Whether two tensors are equal, NaN in the same places among the values."""
    return x.shape == y.shape and bool(((x == y) | (x.isnan() & y.isnan())).all())


def _pictures() -> list[Any]:
    """Three images that differ in colour, contrast and detail, 256 pixels a side."""
    pillow = optional_module("PIL.Image", what="reading of images", extra="vision")
    generator = np.random.default_rng(0)
    made = []
    for side in (4, 16, 64):
        low, high = sorted(generator.integers(0, 256, 2))
        pixels = generator.integers(low, high + 1, (side, side, 3), dtype=np.uint8)
        made.append(pillow.fromarray(pixels).resize((256, 256)))
    return made
