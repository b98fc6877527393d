"""What a hub gives: a network that is built, and how images are prepared for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

Transform = Callable[[Any], Tensor]
"""From a PIL image to (channels, height, width)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A network and its ways."""

    network: nn.Module
    transform: Transform
    """As the model's own configuration says; picklable, for the processes that load images."""
    forward: Callable[[Tensor], object]
    """How the network is called on a batch of images."""
    classifies: bool = True
    """Whether a linear layer at its end is a classifier, and not a projection, say."""
    text: bool = False
    """Whether batches are sentences (see `text`), and not images or tensors."""
    causal: bool = False
    """Whether it predicts every token from those before it."""


@runtime_checkable
class Source(Protocol):
    """One model of one hub."""

    def build(self, *, pretrained: bool, classes: int | None = None) -> Built:
        """Build it.

        Args:
            pretrained: With the hub's weights, or with random ones from the global generator.
            classes: Outputs of the classifier, if not as many as the hub says.

        Raises:
            InputError: weights that the hub does not have or that cannot be reached.
        """
