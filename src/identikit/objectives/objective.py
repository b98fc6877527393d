"""What training minimises: L = E l(y, target), y (n, d_h) the encoder's output for n samples."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from identikit.core.ranks import Shard


class Objective(nn.Module, ABC):
    """A loss, with the parameters that it adds to the encoder's."""

    @abstractmethod
    def features(self, y: Float[Tensor, "n d_h"]) -> Float[Tensor, "n d_h"]:
        """The representation h, made of the encoder's outputs y."""

    @abstractmethod
    def loss(
        self,
        y: Float[Tensor, "n d_h"],
        target: Shaped[Tensor, "n ..."],
        /,
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Mean loss of a batch, ready for backward.

        Args:
            y: Outputs of the encoder.
            target: What each sample is to be told by: labels, or latents.
            generator: For what is drawn at random.
            progress: Share of the training budget that is spent.
        """

    def sparse_parameters(self) -> list[nn.Parameter]:
        """Matrices of whose rows a batch touches few: their gradients are sparse."""
        return []

    def take_back(self, gradient: Shaped[Tensor, "..."]) -> None:
        """Be given its first parameter's gradient, done with: the next may use its memory."""

    def shard(self) -> Shard | None:
        """Which rows of its only parameter this rank has, where they are split over ranks."""
        return None

    def length_penalty(self, y: Float[Tensor, "n d_h"]) -> Float[Tensor, ""]:
        """What holds |y| where the loss does not depend on it; nothing where it does."""
        return y.new_zeros(())
