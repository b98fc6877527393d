"""Generalised contrastive learning (GCL): L = E log(1 + e^-r(x, u)) + E log(1 + e^r(x, u*)).

Logistic regression that tells (x, u) from (x, u*), u* an auxiliary value of another sample, with
r(x, u) = sum_j psi_j(h_j(x), u) + a(x) + b(u). At its optimum r = log p(z|u) - log p(z), so where
the components of z are independent given u, and their densities vary enough with u (at least 2d + 1
values; second derivatives too, which leaves out families of order one), each h_j is an invertible
function of one component of z. log p(z) is no sum over components: a(x), an output of the encoder
of its own, makes room for it.
psi_j(., u) is a network of one hidden layer, its output weights those of u:
psi_j(h, u) = sum_k w_jk(u) tanh(s_jk h + c_jk).
Source: Hyvarinen, Sasaki and Turner, arXiv:1805.08651, equations 4 to 6 and theorem 1.
Shapes: y (n, d + 1), h (n, d), u (n,) from 0 to values - 1.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.objectives.objective import Objective


class GCL(Objective):
    """Tells a sample with its auxiliary value from one with another sample's.

    Args:
        values: How many auxiliary values there are.
        dim: Components of h; the encoder has one output more.
        units: Hidden units of each psi_j.
        generator: Draws the initial weights, on its device.

    Raises:
        InputError: fewer than two auxiliary values.
    """

    def __init__(
        self, values: int, dim: int, *, units: int = 8, generator: torch.Generator
    ) -> None:
        super().__init__()
        if values < 2:
            raise InputError(
                f"GCL tells auxiliary values apart, so it needs at least two; got {values}. "
                "Choose a world with labels."
            )

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=generator.device)

        self.slope = nn.Parameter(normal(dim, units))
        self.shift = nn.Parameter(normal(dim, units))
        self.weight = nn.Parameter(normal(values, dim, units) * (dim * units) ** -0.5)
        self.bias = nn.Parameter(torch.zeros(values, device=generator.device))

    def features(self, y: Float[Tensor, "n m"]) -> Float[Tensor, "n d"]:
        """The components h, without the output a(x)."""
        return y[:, :-1]

    def regression(self, y: Float[Tensor, "n m"], u: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """r(x, u): log p(z|u) - log p(z) at the optimum."""
        hidden = torch.tanh(self.features(y)[:, :, None] * self.slope + self.shift)
        psi = (hidden * self.weight[u]).sum(dim=(1, 2))
        return psi + y[:, -1] + self.bias[u]

    def loss(
        self,
        y: Float[Tensor, "n m"],
        u: Int[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Mean over true and false pairs, summed; u* is that of another sample of the batch.

        Raises:
            InputError: a batch of one, or an auxiliary value that is not there.
        """
        del progress
        if int(u.min()) < 0 or int(u.max()) >= len(self.bias):
            raise InputError(
                f"GCL was made for auxiliary values from 0 to {len(self.bias) - 1}; got "
                f"{int(u.min())} to {int(u.max())}. Draw them from the same world."
            )
        false = self.regression(y, exchanged(u, generator=generator))
        return F.softplus(-self.regression(y, u)).mean() + F.softplus(false).mean()


def exchanged(u: Int[Tensor, " n"], *, generator: torch.Generator) -> Int[Tensor, " n"]:
    """The auxiliary values of other samples, each of which is given away once and none kept.

    Raises:
        InputError: a single sample.
    """
    if len(u) < 2:
        raise InputError(
            f"GCL takes u* from the other samples of a batch; got a batch of {len(u)}. Raise the "
            "batch size."
        )
    by = torch.randint(1, len(u), (), generator=generator, device=generator.device)
    return u.roll(int(by))
