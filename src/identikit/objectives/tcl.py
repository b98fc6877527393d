"""Time-contrastive learning (TCL): L = -E log q(t|x), q(t|x) = softmax_t(w_t . h + b_t).

Multinomial logistic regression that names the time segment t of a sample. At its optimum
(w_t - w_0) . h(z) + b_t - b_0 = log p(z|t) - log p(z|0) + const: where the components of z follow
an exponential family in each segment, log p(z_j|t) = sum_v lambda_jv(t) q_jv(z_j) - log Z + a term
without t, and the lambda vary enough over segments, h is q(z) but for an affine map. In a family of
order one with q(z) = z that is z itself; of order two, h needs two dimensions for each component.
Unlike the heads of `head`, this one has biases, in whose place log Z would take a dimension of h.
Source: Hyvarinen and Morioka, arXiv:1605.06336, equation 4 and theorem 1.
Shapes: h (n, d_h), W (segments, d_h).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.objectives.objective import Objective


class TCL(Objective):
    """Names the segment that a sample comes from.

    Args:
        segments: How many there are.
        dim: Dimensions of h.
        generator: Draws the initial rows, on its device.

    Raises:
        InputError: fewer than two segments.
    """

    def __init__(self, segments: int, dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        if segments < 2:
            raise InputError(
                f"TCL tells segments apart, so it needs at least two; got {segments}. Choose a "
                "world with labels."
            )
        bound, device = dim**-0.5, generator.device
        weight = torch.empty(segments, dim, device=device)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.zeros(segments, device=device))

    def features(self, y: Float[Tensor, "n d_h"]) -> Float[Tensor, "n d_h"]:
        """The encoder's outputs as they are."""
        return y

    def logits(self, h: Float[Tensor, "n d_h"]) -> Float[Tensor, "n segments"]:
        """Of all segments."""
        return h @ self.weight.T + self.bias

    def loss(
        self,
        y: Float[Tensor, "n d_h"],
        segment: Int[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy; draws nothing and is the same throughout.

        Raises:
            InputError: a segment that is not there.
        """
        del generator, progress
        if int(segment.min()) < 0 or int(segment.max()) >= len(self.weight):
            raise InputError(
                f"TCL was made for segments from 0 to {len(self.weight) - 1}; got "
                f"{int(segment.min())} to {int(segment.max())}. Draw them from the same world."
            )
        return F.cross_entropy(self.logits(y), segment)
