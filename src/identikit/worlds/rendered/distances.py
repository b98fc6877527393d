"""Signed distances sd(p) of plane shapes: negative inside, positive outside, 0 on the outline.

Source: Quilez, *2D distance functions* (iquilezles.org/articles/distfunctions2d). Every shape
has circumradius 1, so it fits the unit circle at any orientation; p = (x, y), y up.
Exact for square and heart; for the ellipse to first order at its outline,
(f - 1) / |grad f| with f = (x/a)^2 + (y/b)^2.
"""

from collections.abc import Callable
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

Distance = Callable[[Tensor, Tensor], Tensor]

HALF_SIDE = sqrt(0.5)
"""Of the square."""
MINOR_AXIS = 0.6
"""Half the ellipse's smaller diameter; half the larger is 1."""
HEART = 0.6306019374818707
"""Circumradius of the heart of side sqrt(1/2) with its tip at 0, and height of that circle's
centre: h = sqrt(1/16 + (3/4 - h)^2) + sqrt(1/8)."""


def square(x: Float[Tensor, "*n"], y: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """An upright square."""
    x, y = x.abs() - HALF_SIDE, y.abs() - HALF_SIDE
    outside = (x.clamp(min=0).square() + y.clamp(min=0).square()).sqrt()
    return outside + torch.maximum(x, y).clamp(max=0)


def ellipse(x: Float[Tensor, "*n"], y: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """An ellipse that lies on its side."""
    b = MINOR_AXIS**-2
    xx, yy = x.square(), y.square() * b
    return (xx + yy - 1) / (2 * (xx + yy * b).sqrt()).clamp(min=1e-6)


def heart(x: Float[Tensor, "*n"], y: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """A square on its corner and half a disc on each upper side."""
    x, y = x.abs() * HEART, (y + 1) * HEART
    lobe = ((x - 0.25).square() + (y - 0.75).square()).sqrt() - sqrt(0.125)
    along = 0.5 * (x + y).clamp(min=0)
    side = (x - along).square() + (y - along).square()
    notch = x.square() + (y - 1).square()
    corner = torch.minimum(side, notch).sqrt() * (x - y).sign()
    return torch.where(x + y > 1, lobe, corner) / HEART
