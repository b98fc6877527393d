"""Segments: independent normal components whose mean, and scale, change from segment to segment.

log p(z|t) = sum_j lambda_j1(t) z_j + lambda_j2(t) z_j² - log Z(t): an exponential family of order
one with q(z) = z where one scale serves all segments, of order two where it changes too. A segment
is a class, and so all else is as in a `ClusterWorld`: DIET's instances, pairs of one segment.
Source: Hyvarinen and Morioka, arXiv:1605.06336, section 2; Hyvarinen, Sasaki and Turner,
arXiv:1805.08651, section 4.3, for the orders. Shapes: z (n, d), means and scales (segments, d).
"""

import torch

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.worlds.conditionals import Gaussian
from identikit.worlds.config import WorldConfig
from identikit.worlds.world import ClusterWorld

SCALE = 0.8
"""Of a component within a segment, as a geometric mean; means are standard normal."""


class Segments(ClusterWorld):
    """Time segments with a mean of their own, of order two also a scale of their own.

    Args:
        dim: Number of components d.
        segments: How many.
        order: Of the exponential family: 1 (means change) or 2 (means and scales do).
        instances: Number of labels, where these are instances of the segments.
        seed: Of the segments and the generator.

    Raises:
        InputError: another order.
    """

    def __init__(
        self,
        *,
        dim: int,
        segments: int,
        order: int = 1,
        instances: int | None = None,
        seed: int = 0,
    ) -> None:
        if order not in (1, 2):
            raise InputError(f"order must be 1 or 2; got {order}.")
        config = WorldConfig(dim=dim, classes=segments, conditional="gaussian", scale=SCALE)
        super().__init__(config, labels=instances, seed=seed)
        generator, shape = stream(seed, "segments"), (segments, dim)
        mean = torch.randn(shape, generator=generator)
        spread = (order - 1) * (2 * torch.rand(shape, generator=generator) - 1)
        scale = SCALE * 2.0**spread
        self.order = order
        self.conditional = Gaussian(mean, covariance=torch.diag_embed(scale.double() ** 2))
        self.class_vectors = mean
