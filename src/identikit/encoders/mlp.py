"""Multilayer perceptrons: h = W_L y_(L-1) + b_L, y_k = leaky ReLU(W_k y_(k-1) + b_k), y_0 = x.

"plain": few layers of one width on whitened inputs, orthogonal at the start and
without normalisation; its slope is that of the generator it inverts, so the inverse, whose
leaky ReLUs have slope 1/0.2, is a rescaling away. "paper": widths 10d, 50d x 4, 10d with batch
norm, as the code of arXiv:2410.21869 (section 4.1) has it. "flow": a plain one whose layers are as
wide as x, for `training.flow_start` to begin. x is (n, d_x), h is (n, d_h).
"""

from itertools import pairwise
from typing import TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.core.linalg import whitening
from identikit.encoders.config import EncoderConfig

Layer = TypeVar("Layer", bound=nn.Linear | nn.Conv2d)
GAIN = 1.2
"""Of the orthogonal matrices of a plain encoder; keeps the size of y over leaky ReLUs."""


class MLP(nn.Module):
    """An encoder x -> h.

    Args:
        config: Its shape.
        in_dim: Dimensions of x.
        out_dim: Dimensions of h.
        generator: Draws the initial weights, on its device.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(
        self, config: EncoderConfig, in_dim: int, out_dim: int, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config = config
        paper = config.architecture == "paper"
        initialise = default_weights if paper else _orthogonal
        wide = [10 * in_dim, *[50 * in_dim] * 4, 10 * in_dim]
        width = in_dim if config.architecture == "flow" else config.width
        widths = [in_dim, *(wide if paper else [width] * config.depth)]
        layers: list[nn.Module] = []
        for p, q in pairwise(widths):
            layers.append(initialise(nn.Linear(p, q, device=generator.device), generator))
            if paper:
                layers.append(nn.BatchNorm1d(q, device=generator.device))
            layers.append(nn.LeakyReLU(config.negative_slope, inplace=True))
        last = nn.Linear(widths[-1], out_dim, device=generator.device)
        self.layers = nn.Sequential(*layers, initialise(last, generator))
        self.register_buffer("mean", torch.zeros(in_dim, device=generator.device))
        self.register_buffer("whitening", torch.eye(in_dim, device=generator.device))

    def linears(self) -> list[nn.Linear]:
        """The linear layers, in order."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def fit_whitening(self, x: Float[Tensor, "n d_x"]) -> None:
        """Set the whitening to the moments of x; does nothing if the config has it off.

        Raises:
            InputError: observations that are not finite or are all the same.
        """
        if not self.config.whiten:
            return
        x = x.double()
        mean = x.mean(0)
        if not x.isfinite().all() or (x == x[0]).all():
            raise InputError(
                "observations must be finite and vary for an encoder that whitens them; got "
                "NaN, infinity or one value throughout. Look at the data, or switch whitening off."
            )
        self.mean.copy_(mean)
        self.whitening.copy_(whitening((x - mean).T @ (x - mean) / len(x)))

    def forward(self, x: Float[Tensor, "n d_x"]) -> Float[Tensor, "n d_h"]:
        """The representation of x."""
        return cast(Tensor, self.layers((x - self.mean) @ self.whitening))


@torch.no_grad()
def _orthogonal(layer: nn.Linear, generator: torch.Generator) -> nn.Linear:
    nn.init.orthogonal_(layer.weight, gain=GAIN, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def default_weights(layer: Layer, generator: torch.Generator) -> Layer:
    """PyTorch's own default: uniform within 1/sqrt(fan in)."""
    bound = layer.weight[0].numel() ** -0.5
    for parameter in layer.parameters():
        parameter.uniform_(-bound, bound, generator=generator)
    return layer
