"""The encoder of a config for vectors (n, d_x) or images (n, c, h, w), whichever come."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from identikit.encoders.cnn import CNN
from identikit.encoders.config import EncoderConfig
from identikit.encoders.mlp import MLP


def build_encoder(
    config: EncoderConfig,
    x: Float[Tensor, "n ..."],
    *,
    out_dim: int,
    generator: torch.Generator,
) -> nn.Module:
    """An encoder for observations like these, on the CPU.

    Args:
        config: Its shape; an MLP takes images as the vectors of their pixels.
        x: Observations; an MLP that whitens them takes their moments.
        out_dim: Dimensions of h.
        generator: Draws the initial weights.

    Raises:
        InputError: sizes that do not fit, or observations that cannot be whitened.
    """
    if config.architecture == "cnn":
        return CNN(
            width=config.width // 4,
            layers=config.depth,
            hidden=config.width,
            negative_slope=config.negative_slope,
            out_dim=out_dim,
            side=x.shape[-1],
            channels=x.shape[1],
            generator=generator,
        )
    mlp = MLP(config, x[0].numel(), out_dim, generator=generator)
    mlp.fit_whitening(x.flatten(1).cpu())
    return mlp if x.ndim == 2 else nn.Sequential(nn.Flatten(), mlp)
