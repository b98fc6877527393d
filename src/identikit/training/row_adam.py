"""Adam without momentum (beta 1 = 0) for a matrix of whose rows a step touches few, at their cost.

A row w with gradient g at step t: v <- b^(t - s) v + (1 - b) g^2, w <- w - rate g / (sqrt(v / (1 -
b^t)) + eps), where s is the step that touched it last. That is the dense step on every row, the
others too, which has no gradient there and so moves nothing and only shrinks v by b at each step.
Source: Kingma and Ba, arXiv:1412.6980, algorithm 1. Rows (n, d), gradients sparse.
"""

from collections.abc import Iterable, Sequence

from torch import Tensor

from identikit.training.fused import Optimizer

_EPS = 1e-8


class RowAdam(Optimizer):
    """Steps on the rows that have a gradient; time and traffic do not depend on the others."""

    def __init__(self, params: Iterable[Tensor], rate: float, *, second_moment: float) -> None:
        super().__init__(params, rate)
        self.second_moment = second_moment

    def _start(self, p: Tensor) -> tuple[Tensor, ...]:
        return p.new_zeros(()), p.new_zeros(len(p)), p.new_zeros(p.shape)

    def _move(self, parts: Sequence[list[Tensor]], rate: float) -> None:
        kept = self.second_moment
        for p, gradient, step, last, square in zip(*parts, strict=True):
            step += 1
            t, gradient = float(step), gradient.coalesce()
            rows, g = gradient.indices()[0], gradient.values()
            faded = kept ** (t - last[rows])[:, None]
            v = square[rows].mul_(faded).addcmul_(g, g, value=1 - kept)
            p.index_add_(0, rows, g / (v / (1 - kept**t)).sqrt_().add_(_EPS), alpha=-rate)
            square[rows] = v
            last[rows] = t
