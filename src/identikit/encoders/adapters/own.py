"""`module:function`: a function of the user's own that returns a module."""

import contextlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from identikit.core.errors import InputError, in_words, optional_module, unknown_name
from identikit.encoders.adapters.source import Built
from identikit.encoders.adapters.text import built, is_tokenizer

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Own:
    """A function that returns a module, or a module and its transform or tokenizer.

    It is called without arguments, or, where it has a parameter of that name, with `pretrained`.
    The Python module may be a file of the current folder. Without a transform, images are resized
    to 256 pixels, cropped to 224 and normalised as for ImageNet.
    """

    module: str
    function: str

    def build(self, *, pretrained: bool, classes: int | None = None) -> Built:
        """Build it; see `Source`. The function decides on the classes."""
        function = named_function(self.module, self.function)
        with own_code(f"{self.module}:{self.function}"):
            takes = "pretrained" in inspect.signature(function).parameters
            made = function(pretrained=pretrained) if takes else function()
        pair = isinstance(made, tuple) and len(made) == 2
        network, transform = made if pair else (made, None)
        if not isinstance(network, nn.Module) or not (transform is None or callable(transform)):
            got = ", ".join(type(part).__name__ for part in (made if pair else [made]))
            raise InputError(
                f"{self.module}:{self.function} should return a torch.nn.Module, or a pair of it "
                f"and a transform; it returned {got}."
            )
        network = getattr(network, "_orig_mod", network)  # of a compiled one
        if is_tokenizer(transform):
            return built(network, transform)
        return Built(network=network, transform=transform or ImageNetTransform(), forward=network)

    def refuse_loaded(self, network: nn.Module) -> None:
        """Hold the function to it that the weights are random.

        Raises:
            InputError: another call returns the same weights.
        """
        again = self.build(pretrained=False).network.state_dict()
        matrices = {
            name: value
            for name, value in network.state_dict().items()
            if isinstance(value, Tensor) and not is_lazy(value) and value.ndim > 1
        }
        if matrices and all(torch.equal(value, again[key]) for key, value in matrices.items()):
            raise InputError(
                f"{self.module}:{self.function} returns the same weights at every call, so they "
                "are not random. Give it a parameter `pretrained`, and have it draw them at "
                "random when that is False."
            )


def named_function(module: str, name: str) -> Callable[..., Any]:
    """A function of a Python module, which may be a file of the current folder.

    Raises:
        InputError: there is no such module or function, or the module's own code fails.
    """
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        with own_code(f"the Python module {module}", ModuleNotFoundError):
            found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"there is no Python module {error.name!r}, neither in this folder nor installed. A "
            "model is timm:NAME, torchvision:NAME, hf:NAME, or module:function of your own."
        ) from error
    function = getattr(found, name, None)
    if not callable(function):
        known = [name for name, _ in inspect.getmembers(found, callable) if name[0] != "_"]
        raise unknown_name(f"function of {module}", name, known)
    made: Callable[..., Any] = function
    return made


@contextlib.contextmanager
def own_code(what: str, *known: type[Exception]) -> Iterator[None]:
    """Turn what goes wrong in somebody else's code into one sentence that names its line.

    Args:
        what: That is run.
        known: Errors that the caller explains.

    Raises:
        InputError: it fails, or wants to end the process.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, (InputError, *known)):
            raise
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).is_relative_to(Path.cwd())]
        place = (own or frames)[-1]
        raise InputError(
            f"{what} fails: {in_words(error)} (line {place.lineno} of {Path(place.filename).name})."
        ) from error


class ImageNetTransform:
    """Resize to 256, crop to 224, normalise as for ImageNet; torchvision is asked when used."""

    def __call__(self, image: Any) -> Tensor:
        """(3, 224, 224) of a PIL image."""
        made: Tensor = _imagenet_transform()(image)
        return made

    def __repr__(self) -> str:
        return repr(_imagenet_transform())


@cache
def _imagenet_transform() -> Any:
    transforms = optional_module(
        "torchvision.transforms", what="preparation of images", extra="vision"
    )
    steps = [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(_MEAN, _STD),
    ]
    return transforms.Compose(steps)
