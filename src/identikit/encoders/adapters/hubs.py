"""The hubs that models come from, by the first part of a model's name."""

import contextlib
from collections.abc import Callable, Iterator

import torch

from identikit.core.errors import InputError
from identikit.encoders.adapters.hub_huggingface import HuggingFace
from identikit.encoders.adapters.hub_timm import Timm
from identikit.encoders.adapters.hub_torchvision import Torchvision
from identikit.encoders.adapters.own import Own
from identikit.encoders.adapters.source import Source

HUBS: dict[str, Callable[[str], Source]] = {
    "timm": Timm,
    "torchvision": Torchvision,
    "hf": HuggingFace,
}


def hub_source(name: str) -> Source:
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
def seeded(seed: int) -> Iterator[None]:
    """The global generator, which hubs draw weights from, seeded and then put back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
