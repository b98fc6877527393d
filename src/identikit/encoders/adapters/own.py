"""`module:function`: a function of the user's own that returns a module."""

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from identikit.core.errors import InputError, optional_module, unknown_name
from identikit.encoders.adapters.source import Built, Transform

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Own:
    """A function that returns a module, or a module and its transform.

    It is called without arguments, or, where it has a parameter of that name, with `pretrained`.
    The Python module may be a file of the current folder. Without a transform, images are resized
    to 256 pixels, cropped to 224 and normalised as for ImageNet.
    """

    module: str
    function: str

    def build(self, *, pretrained: bool, classes: int | None = None) -> Built:
        """Build it; see `Source`. The function decides on the classes."""
        function = self._function()
        takes = "pretrained" in inspect.signature(function).parameters
        made = function(pretrained=pretrained) if takes else function()
        network, transform = made if isinstance(made, tuple) else (made, None)
        if not isinstance(network, nn.Module):
            raise InputError(
                f"{self.module}:{self.function} should return a torch.nn.Module, or a pair of it "
                f"and a transform; it returned {type(network).__name__}."
            )
        return Built(network=network, transform=transform or _imagenet_transform(), forward=network)

    def refuse_loaded(self, network: nn.Module) -> None:
        """Hold the function to it that the weights are random.

        Raises:
            InputError: another call returns the same weights.
        """
        again = self.build(pretrained=False).network.state_dict()
        matrices = {k: v for k, v in network.state_dict().items() if v.ndim > 1}
        if matrices and all(torch.equal(value, again[key]) for key, value in matrices.items()):
            raise InputError(
                f"{self.module}:{self.function} returns the same weights at every call, so they "
                "are not random. Give it a parameter `pretrained`, and have it draw them at "
                "random when that is False."
            )

    def _function(self) -> Callable[..., Any]:
        if (here := str(Path.cwd())) not in sys.path:
            sys.path.insert(0, here)
        try:
            module = importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            raise InputError(
                f"there is no Python module {error.name!r}, neither in this folder nor "
                "installed. A model is timm:NAME, torchvision:NAME, hf:NAME, or module:function "
                "of your own."
            ) from error
        function = getattr(module, self.function, None)
        if not callable(function):
            known = [name for name, _ in inspect.getmembers(module, callable) if name[0] != "_"]
            raise unknown_name(f"function of {self.module}", self.function, known)
        found: Callable[..., Any] = function
        return found


def _imagenet_transform() -> Transform:
    transforms = optional_module(
        "torchvision.transforms", what="preparation of images", extra="vision"
    )
    steps = [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(_MEAN, _STD),
    ]
    composed: Transform = transforms.Compose(steps)
    return composed
