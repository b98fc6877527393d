"""Multilayer perceptrons: h = out(y_L), y_k = leaky ReLU(batch norm(W_k y_(k-1)) + b_k).

Source: the encoder of the simulations in arXiv:2410.21869, section 4.1 ("paper": widths
10d, 50d x 4, 10d, as its code has it), and a narrow, deep one of equal widths on whitened
inputs ("plain"), whose layers are one autograd function. Shapes: x is (n, d_x), h is
(n, d_h).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.errors import InputError

EPS = 1e-5
"""Added to variances, as in PyTorch's batch norm."""
RUNNING_SHARE = 0.1
"""Weight of a new batch in the running moments, as in PyTorch's batch norm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Shape of an MLP encoder."""

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
        self.body: nn.Module
        if config.architecture == "paper":
            self.body, last = _paper_body(config, in_dim, generator), 10 * in_dim
        else:
            self.body, last = Layers(config, in_dim, generator=generator), config.width
        self.out = _linear(last, out_dim, generator)
        self.register_buffer("mean", torch.zeros(in_dim, device=generator.device))
        self.register_buffer("whitening", torch.eye(in_dim, device=generator.device))

    def fit_whitening(self, x: Float[Tensor, "n d_x"]) -> None:
        """Set the whitening to the moments of x; does nothing if the config has it off."""
        if not self.config.whiten:
            return
        x = x.double()
        mean = x.mean(0)
        values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
        self.mean.copy_(mean)
        self.whitening.copy_(vectors / values.clamp(min=1e-10 * float(values[-1])).sqrt())

    def forward(self, x: Float[Tensor, "n d_x"]) -> Float[Tensor, "n d_h"]:
        """The representation of x."""
        return cast(Tensor, self.out(self.body((x - self.mean) @ self.whitening)))


class Layers(nn.Module):
    """Hidden layers of one width, without the scale of batch norm.

    A positive scale passes through a leaky ReLU into the next layer's weights, so nothing
    is lost. The square matrices are one parameter, for optimisers that treat them alike.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, config: EncoderConfig, in_dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        depth, width, device = config.depth, config.width, generator.device
        self.slope = config.negative_slope
        self.first = nn.Parameter(_uniform(generator, width, in_dim))
        self.square = nn.Parameter(_uniform(generator, depth - 1, width, width))
        self.shift = nn.Parameter(torch.zeros(depth, width, device=device))
        self.register_buffer("running_mean", torch.zeros(depth, width, device=device))
        self.register_buffer("running_var", torch.ones(depth, width, device=device))

    def forward(self, x: Float[Tensor, "n d_x"]) -> Float[Tensor, "n width"]:
        """Outputs of the last layer; by batch moments in training, running ones otherwise."""
        if not self.training:
            return self._evaluate(x)
        y, mean, var = _TrainLayers.apply(x, self.first, self.square, self.shift, self.slope)
        with torch.no_grad():
            self.running_mean.lerp_(mean, RUNNING_SHARE)
            self.running_var.lerp_(var * (len(x) / max(1, len(x) - 1)), RUNNING_SHARE)
        return cast(Tensor, y)

    def _evaluate(self, x: Tensor) -> Tensor:
        scales = (self.running_var + EPS).rsqrt()
        for k, weight in enumerate((self.first, *self.square)):
            u = (x @ weight.T - self.running_mean[k]) * scales[k] + self.shift[k]
            x = F.leaky_relu(u, self.slope)
        return x


class _TrainLayers(torch.autograd.Function):
    """All hidden layers with batch moments: y_k = leaky(u_k), u_k = (a_k - mean) rstd + shift.

    With c = mean of du and s = mean of du (u - shift), the gradient of a = y W' is
    rstd (du - c - s (u - shift)); rstd goes into the small matrices rather than into a.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, first: Tensor, square: Tensor, shift: Tensor, slope: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        inputs, us, means, variances = [x], [], [], []
        for weight, b in zip((first, *square), shift, strict=True):
            a = inputs[-1] @ weight.T
            mean = a.mean(0)
            var = a.sub_(mean).square().mean(0)
            us.append(torch.addcmul(b, a, (var + EPS).rsqrt()))
            inputs.append(F.leaky_relu(us[-1], slope))
            means.append(mean)
            variances.append(var)
        mean, var = torch.stack(means), torch.stack(variances)
        ctx.slope = slope
        ctx.save_for_backward(first, square, shift, (var + EPS).rsqrt(), *us, *inputs[:-1])
        ctx.mark_non_differentiable(mean, var)
        return inputs[-1], mean, var

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        first, square, shift, rstd, *saved = ctx.saved_tensors
        depth = len(shift)
        us, inputs = saved[:depth], saved[depth:]
        weights = (first, *square)
        dweights, dshift = [], torch.empty_like(shift)
        for k in reversed(range(depth)):
            du = torch.ops.aten.leaky_relu_backward(dy, us[k], ctx.slope, False)
            torch.sum(du, 0, out=dshift[k])
            s = ((du * us[k]).sum(0) - shift[k] * dshift[k]) / len(dy)
            da = du.addcmul_(us[k], -s).sub_(dshift[k] / len(dy) - s * shift[k])
            dweights.append(rstd[k][:, None] * (da.T @ inputs[k]))
            if k or ctx.needs_input_grad[0]:
                dy = da @ (rstd[k][:, None] * weights[k])
        dsquare = torch.stack(dweights[-2::-1]) if depth > 1 else torch.empty_like(square)
        return (dy if ctx.needs_input_grad[0] else None), dweights[-1], dsquare, dshift, None


def _paper_body(config: EncoderConfig, in_dim: int, generator: torch.Generator) -> nn.Sequential:
    widths = [in_dim, 10 * in_dim, *[50 * in_dim] * 4, 10 * in_dim]
    return nn.Sequential(
        *(
            nn.Sequential(
                _linear(p, q, generator), nn.BatchNorm1d(q), nn.LeakyReLU(config.negative_slope)
            )
            for p, q in pairwise(widths)
        )
    ).to(generator.device)


def _linear(p: int, q: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(p, q, device=generator.device)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-(p**-0.5), p**-0.5, generator=generator)
    return layer


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    """PyTorch's default for linear layers: uniform within 1/sqrt(fan in)."""
    bound = shape[-1] ** -0.5
    return torch.empty(shape, device=generator.device).uniform_(-bound, bound, generator=generator)
