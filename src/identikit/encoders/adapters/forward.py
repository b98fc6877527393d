"""A model that can be called; what goes wrong in its code is one sentence."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from identikit.core.errors import InputError, in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """How a network is called on a batch, and by what names it goes in an error."""

    name: str
    """Of the model."""
    network: nn.Module
    call: Callable[[Tensor], object]
    inputs: str = "its inputs"
    """Where batches come from: the transform, say."""
    text: bool = False
    """Whether these are sentences (see `text`)."""

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
