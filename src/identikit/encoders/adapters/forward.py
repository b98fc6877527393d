"""A model that can be called; what goes wrong in its code is one sentence."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from identikit.core.errors import InputError

_WORDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """How a network is called on a batch, and by what names it goes in an error."""

    name: str
    """Of the model."""
    network: nn.Module
    call: Callable[[Tensor], object]
    inputs: str = "its inputs"
    """Where batches come from: the transform, say."""

    def __call__(self, x: Tensor) -> object:
        """What the model returns for a batch; floats come in the type of its weights.

        Raises:
            InputError: the model's code fails; says on what.
        """
        kind = next((p.dtype for p in self.network.parameters() if p.is_floating_point()), None)
        if kind is not None and x.is_floating_point():
            x = x.to(kind)
        try:
            return self.call(x)
        except (torch.OutOfMemoryError, InputError):
            raise
        except Exception as error:
            raise InputError(
                f"{self.name} fails on a batch of shape {tuple(x.shape)} "
                f"({str(x.dtype).removeprefix('torch.')}) as {self.inputs} made it: "
                f"{in_words(error)}."
            ) from error


def in_words(error: BaseException) -> str:
    """An error of somebody else's code in one line: its type, and the beginning of what it says."""
    said = " ".join(str(error).split()).rstrip(".")
    short = said if len(said) <= _WORDS else said[:_WORDS] + " ..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__
