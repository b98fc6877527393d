"""A start from observations alone: the invertible network f under which x is most likely normal.

max over W_1 ... W_L of E [log |det f'(x)|] - 1/2 log det Cov f(x), f(x) = s(W_L ... s(W_1 x)), s
the inverse of the leaky ReLU that generator and encoder share. Layers come one by one, the next
begun by independent component analysis of what the last one gives (the leaky ReLU makes components
skewed: Hyvarinen's fixed point for the third cumulant), and all so far are trained together by
relative steps W <- (1 - rate polar(E dL/dR)) W at R = 1, which no conditioning slows down (Amari's
natural gradient; Gresele et al., arXiv:2006.15090, for networks; the polar factor is Muon's). The
kinks of s are smooth at first and sharpen, since the likelihood jumps where a sample crosses one.
No label is seen. Shapes: x and f(x) (n, d), W (d, d).
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from identikit.core.linalg import whitening
from identikit.encoders.mlp import MLP
from identikit.training.muon import orthogonalize

Observe = Callable[[int], Tensor]
"""Fresh observations, so many."""
OnStep = Callable[[int, float, float], None]
"""Told how many steps are done, which share of the work that is, and the loss."""
BATCH = 1024
ICA_SAMPLES, ICA_STEPS = 32_768, 40
RATE, SETTLED, LAST_RATE = 0.1, 0.3, 0.01
"""Of a new layer, the share of it for those before, and of all once the last has come: a normal
likelihood of latents on a sphere has no bound, and larger steps find the way there."""
MOMENTUM = 0.9
WARMUP = 0.05
"""Share of the steps of a layer over which the rate rises; then it falls to zero."""
BLUNT, SHARP, SHARPEST = 1.0, 0.02, 0.01
"""Widths of the kinks, in standard deviations of a unit: of a new layer, of it once it has settled,
and of all at the end."""
RESCALE = 10
"""Steps between two returns of a new layer's units to unit size, which f does not see."""


def observations_needed(depth: int, steps: int) -> int:
    """How many observations the start takes, give or take a batch for each layer."""
    return (depth + 1) * ICA_SAMPLES + steps * BATCH


def flow_start(
    encoder: MLP, observe: Observe, *, steps: int, on_step: OnStep = lambda *_: None
) -> None:
    """Give the layers of an encoder the weights of the likeliest flow; h is white at first.

    Args:
        encoder: Of the architecture flow; its whitening is fitted.
        observe: Draws x, on the device of the encoder.
        steps: In all: each layer three times as many as that before it, the last as many as they.
        on_step: Told after each.
    """
    *hidden, last = encoder.linears()
    slope, shift = encoder.config.negative_slope, encoder.mean @ encoder.whitening

    def draw(n: int) -> Tensor:
        return observe(n) @ encoder.whitening

    weights: list[Tensor] = []
    parts = [3**k for k in range(len(hidden) - 1)]
    parts.append(max(1, sum(parts)))
    own = [round(steps * part / sum(parts)) for part in parts]
    work, worked, done = sum(k * n for k, n in enumerate(own, 1)), 0, 0
    for k, of_layer in enumerate(own, 1):
        weights.append(skewest_components(flow(weights, draw(ICA_SAMPLES), slope)))
        for loss in _trained(weights, draw, slope, steps=of_layer, final=k == len(hidden)):
            worked, done = worked + k, done + 1
            on_step(done, worked / work, loss)
    v = flow(weights, draw(ICA_SAMPLES), slope)
    white = last.weight.detach() @ whitening(_moments(v)).float().T
    with torch.no_grad():  # -s(y) / slope = s(-y) one layer up: the encoder's own leaky ReLU
        for k, (layer, weight) in enumerate(zip(hidden, weights, strict=True)):
            layer.weight.copy_(weight / slope if k else -weight)
        hidden[0].bias.copy_(-(weights[0] @ shift))
        last.weight.copy_(-white / slope)
        last.bias.copy_(-(white @ v.mean(0)))


def flow(weights: list[Tensor], x: Float[Tensor, "n d"], slope: float) -> Float[Tensor, "n d"]:
    """f(x), its kinks sharp."""
    for weight in weights:
        x = F.leaky_relu(x @ weight.T, 1 / slope)
    return x


@torch.no_grad()
def skewest_components(x: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    """Rows of unit variance whose components of x are uncorrelated and of greatest skewness."""
    white = whitening(_moments(x)).to(x)
    y = (x - x.mean(0)) @ white
    turn = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    for _ in range(ICA_STEPS):
        u, _, v = torch.linalg.svd((y @ turn.T).square().T @ y)
        turn = u @ v
    upward = (y @ turn.T).pow(3).mean(0).sign()
    return upward[:, None] * turn @ white.T


def _moments(x: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    return torch.cov(x.double().T)


def _trained(
    weights: list[Tensor], draw: Observe, slope: float, *, steps: int, final: bool
) -> Iterator[float]:
    """Train all layers together, the last of them new; the loss of each step."""
    eye = torch.eye(len(weights[0])).to(weights[0])
    momenta = [torch.zeros_like(weight) for weight in weights]
    sharp = SHARPEST if final else SHARP
    for step in range(steps):
        progress = step / steps
        width = BLUNT * (sharp / BLUNT) ** progress
        turns = [eye.clone().requires_grad_() for _ in weights]
        v, loss = draw(BATCH), eye.new_zeros(())
        for k, (weight, turn) in enumerate(zip(weights, turns, strict=True)):
            y = v @ weight.T
            size = y.detach().std(0)
            kink = size * (width if k == len(weights) - 1 else min(width, SHARP))
            y = y @ turn.T
            below, bend = -y / kink, 1 / slope - 1
            loss = loss - torch.linalg.slogdet(turn)[1]
            loss = loss - torch.log1p(bend * torch.sigmoid(below)).sum(1).mean()
            v = y - bend * kink * F.softplus(below)
        loss = loss + torch.linalg.slogdet(torch.cov(v.T))[1] / 2
        gradients = torch.autograd.grad(loss, turns)
        share = min(1.0, progress / WARMUP + 0.02) * (1 - progress)
        for k, gradient in enumerate(gradients):
            momenta[k].mul_(MOMENTUM).add_(gradient)
            ahead = gradient + MOMENTUM * momenta[k]
            polar = orthogonalize(ahead[None], iterations=5)[0]
            rate = LAST_RATE if final else RATE if k == len(weights) - 1 else RATE * SETTLED
            weights[k] = weights[k] - share * rate * polar @ weights[k]
        if step % RESCALE == 0:
            weights[-1] = weights[-1] / size[:, None]
        yield loss.item()
