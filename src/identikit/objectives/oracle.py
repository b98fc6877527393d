"""The oracle's loss: E |y - z|², for an encoder that is told the latents.

No learner has them. What the encoder does not reach even so, no objective is to blame for:
it is the encoder, its training or the generator. y and z are (n, d).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.objectives.objective import Objective


class LatentRegression(Objective):
    """Squared error to the true latents, in place of a head."""

    def features(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The encoder's outputs as they are."""
        return y

    def loss(
        self,
        y: Float[Tensor, "n d"],
        target: Float[Tensor, "n d"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Squared error, summed over dimensions; draws nothing and is the same throughout."""
        del generator, progress
        return (y - target).square().sum(1).mean()


def latent_regression(*_: object, **__: object) -> LatentRegression:
    """The objective, whatever heads are told."""
    return LatentRegression()
