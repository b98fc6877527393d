"""Multilayer perceptrons: h = A_L(... A_2(A_1 x)), A_k = leaky ReLU of batch norm of W_k.

Source: the encoder of the simulations in arXiv:2410.21869, section 4.1 ("paper": d -> 10d
-> 50d x 4 -> 10d -> d, as its code has it), and a narrow, deep one of equal widths on
whitened inputs ("plain"). Shapes: x is (n, d_x), h is (n, d_h).
"""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from identikit.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Shape and arithmetic of an MLP encoder."""

    architecture: Literal["plain", "paper"] = "plain"
    """plain: hidden layers of one width; paper: 10d, 4 x 50d, 10d."""
    width: int = 64
    """Units of a hidden layer (plain)."""
    depth: int = 6
    """Number of hidden layers (plain)."""
    negative_slope: float = 0.01
    """Slope of the leaky ReLU below zero."""
    whiten: bool = True
    """Whether inputs are whitened, by moments fitted once before training."""
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Arithmetic of the hidden layers while training; auto: bfloat16 where the processor
    has instructions for it, float32 elsewhere. Evaluation is always in float32."""

    def __post_init__(self) -> None:
        for name in ("width", "depth"):
            if getattr(self, name) < 1:
                raise InputError(f"encoder {name} must be at least 1; got {getattr(self, name)}.")


class MLP(nn.Module):
    """An encoder x -> h with batch norm in every hidden layer."""

    mean: Tensor
    whitening: Tensor

    def __init__(
        self, config: EncoderConfig, in_dim: int, out_dim: int, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config = config
        widths = _widths(config, in_dim)
        self.hidden = nn.ModuleList(
            nn.Sequential(nn.Linear(p, q), nn.BatchNorm1d(q), nn.LeakyReLU(config.negative_slope))
            for p, q in zip([in_dim, *widths], widths, strict=False)
        )
        self.out = nn.Linear(widths[-1], out_dim)
        self.register_buffer("mean", torch.zeros(in_dim))
        self.register_buffer("whitening", torch.eye(in_dim))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                _initialise(module, generator)

    def fit_whitening(self, x: Float[Tensor, "n d_x"]) -> None:
        """Set the whitening to the moments of x; does nothing if the config has it off."""
        if not self.config.whiten:
            return
        x = x.double()
        mean = x.mean(0)
        values, vectors = torch.linalg.eigh(torch.cov((x - mean).T).reshape(len(mean), len(mean)))
        floor = values[-1] * 1e-10
        self.mean.copy_(mean)
        self.whitening.copy_(vectors / values.clamp(min=float(floor)).sqrt())

    def forward(self, x: Float[Tensor, "n d_x"]) -> Float[Tensor, "n d_h"]:
        """The representation of x, in float32."""
        h = (x - self.mean) @ self.whitening
        low = self.training and _bfloat16(self.config.precision, x.device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=low):
            for layer in self.hidden:
                h = layer(h)
        return cast(Tensor, self.out(h.float()))


def _widths(config: EncoderConfig, in_dim: int) -> list[int]:
    if config.architecture == "paper":
        return [10 * in_dim, *[50 * in_dim] * 4, 10 * in_dim]
    return [config.width] * config.depth


def _initialise(layer: nn.Linear, generator: torch.Generator) -> None:
    """PyTorch's own default, uniform within 1/sqrt(fan in), from an explicit generator."""
    bound = layer.in_features**-0.5
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-bound, bound, generator=generator)


def _bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16; without instructions for it, it is slower."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())
