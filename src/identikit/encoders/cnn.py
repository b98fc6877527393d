"""A small convolutional encoder: h = A r(vec(c_3(c_2(c_1(x))))).

c_k is the leaky ReLU of the batch norm of a 3 x 3 convolution with stride 2, r a hidden layer with
leaky ReLU where one is asked for. Plain on purpose: the question is what the objective leaves in
h, not how well the best network classifies. x is (n, c, side, side), or (n, side, side) for one
channel, in [0, 1]; h is (n, d_h).
"""

from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.encoders.mlp import default_weights

_LAYERS = 3
_NEGATIVE_SLOPE = 0.01


class CNN(nn.Module):
    """Strided convolutions, a hidden layer or none, and a linear layer.

    Raises:
        InputError: sides that the halvings do not divide, or sizes below 1.
    """

    def __init__(
        self,
        *,
        width: int,
        out_dim: int,
        generator: torch.Generator,
        side: int = 32,
        channels: int = 1,
        layers: int = _LAYERS,
        hidden: int | None = None,
        negative_slope: float = _NEGATIVE_SLOPE,
    ) -> None:
        """Weights come from the generator.

        Args:
            width: Channels of the first layer; each further layer has twice as many.
            out_dim: Dimensions of h.
            generator: Source of the initial weights.
            side: Pixels along each side of an image.
            channels: Of an image.
            layers: How many convolutions.
            hidden: Units of the hidden layer; None for no such layer.
            negative_slope: Of the leaky ReLUs, below zero.
        """
        super().__init__()
        reduction = 2**layers
        if side < reduction or side % reduction:
            raise InputError(
                f"image side must be a multiple of {reduction} (it is halved {layers} times); "
                f"got {side}. Crop or pad the images."
            )
        if width < 1 or out_dim < 1:
            raise InputError(
                f"encoder width and out_dim must be at least 1; got {width} and {out_dim}."
            )
        widths = [channels, *(width * 2**k for k in range(layers))]
        parts: list[nn.Module] = []
        for before, after in pairwise(widths):
            parts += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),  # the norm shifts
                nn.BatchNorm2d(after),
                nn.LeakyReLU(negative_slope),
            ]
        self.body = nn.Sequential(*parts, nn.Flatten())
        self.body.to(memory_format=torch.channels_last)  # a quarter faster on a CPU
        last = widths[-1] * (side // reduction) ** 2
        if hidden is not None:
            self.body.extend([nn.Linear(last, hidden), nn.LeakyReLU(negative_slope)])
        self.out = nn.Linear(last if hidden is None else hidden, out_dim)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                default_weights(module, generator)

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n d_h"]:
        """The representation of images."""
        return cast(Tensor, self.out(self.body(x if x.ndim == 4 else x[:, None])))
