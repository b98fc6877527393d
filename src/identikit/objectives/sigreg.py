"""SIGReg (LeJEPA): L = (1 - w) E|h - h'|² / (4 d) + w S(h), S a mean over random slices.

A slice projects h on a random direction a of unit norm. For the n projections s_i of one view it
asks how far they are from standard normal, by the statistic of Epps and Pulley:

    n * integral over t from -3 to 3 of |mean_i exp(i t s_i) - exp(-t²/2)|² exp(-t²/2) dt.

A distribution whose every projection is standard normal is standard normal itself (Cramer, Wold).
Where z is normal and pairs are too (z' = rho z + sqrt(1 - rho²) e), the functions that change least
within a pair are linear in z, so h is z but for a rotation; no other distribution of z allows that.
Source: Balestriero and LeCun, arXiv:2511.08544; Epps and Pulley, Biometrika 70 (1983); Klindt,
LeCun and Balestriero, arXiv:2605.26379, for what is recovered. Shapes: y and h (2 p, d), p pairs.
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.objectives.objective import Objective
from identikit.objectives.views import two_views

REACH = 3.0
"""Of t; beyond it the weight is next to nothing."""
KNOTS = 17
"""Of the trapezoid rule, from 0 on: the integrand is even."""


class SIGReg(Objective):
    """Views that agree, features that are standard normal.

    Args:
        weight: Of the statistic, against the distance of views.
        slices: Random directions, drawn anew for each batch.

    Raises:
        InputError: a weight that is not between 0 and 1, or no slices.
    """

    def __init__(self, *, weight: float = 0.05, slices: int = 64) -> None:
        super().__init__()
        if not 0 < weight < 1:
            raise InputError(f"weight is a share in (0, 1); got {weight}.")
        if slices < 1:
            raise InputError(f"slices must be at least 1; got {slices}.")
        self.weight, self.slices = weight, slices

    def features(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The encoder's outputs as they are."""
        return y

    def loss(
        self,
        y: Float[Tensor, "n d"],
        target: Shaped[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Distance of the views, and the statistic as the mean over views and slices.

        Raises:
            InputError: fewer than two pairs, or rows that do not come in pairs.
        """
        del progress
        first, second = two_views(y, target, objective="SIGReg")
        shape = (y.shape[1], self.slices)
        directions = torch.randn(shape, generator=generator, device=y.device, dtype=y.dtype)
        slices = F.normalize(directions, dim=0)
        statistic = (epps_pulley(first @ slices) + epps_pulley(second @ slices)).mean() / 2
        moved = (first - second).square().mean() / 4
        return (1 - self.weight) * moved + self.weight * statistic


def epps_pulley(s: Float[Tensor, "n slices"]) -> Float[Tensor, " slices"]:
    """How far each column is from standard normal; of the order of 1 where it is."""
    t = torch.linspace(0, REACH, KNOTS, device=s.device, dtype=s.dtype)
    normal = torch.exp(-t.square() / 2)
    angle = s[:, :, None] * t
    gap = (angle.cos().mean(0) - normal).square() + angle.sin().mean(0).square()
    return 2 * len(s) * torch.trapezoid(gap * normal, t)
