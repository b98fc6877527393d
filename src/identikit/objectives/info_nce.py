"""InfoNCE: L = -E log exp(s(h, h+)) / sum_j exp(s(h, h_j)), s(h, h') = h . h' / temperature.

The sum runs over the positive and the second views of all other pairs of the batch; the loss is the
mean of both directions. Its optimum is the density ratio: s(h(z), h(z')) = log p(z'|z) / p(z') + a
constant, for any number of negatives, and where z is uniform on the sphere and z' given z von
Mises-Fisher around it with concentration kappa, the ratio is kappa z . z' + const: unit features
are then z but for a rotation, the learned temperature 1 / kappa; free ones sqrt(kappa) times a
rotation of z at temperature 1.
Source: van den Oord et al., arXiv:1807.03748, equations 4 and 5; Zimmermann et al.,
arXiv:2102.08850, theorems 1 and 2. Shapes: y and h (2 p, d), p pairs.
"""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.core.ranks import gathered
from identikit.objectives.objective import Objective
from identikit.objectives.views import two_views


class InfoNCE(Objective):
    """Tells a positive pair from the pairs that the batch does not hold.

    Args:
        temperature: At the start, or throughout.
        learned: Whether the temperature is learned. A fixed one is right for unit features at
            1 / kappa only.
        unit_features: Whether h has unit norm.

    Raises:
        InputError: a temperature that is not positive.
    """

    log_scale: Tensor

    def __init__(
        self,
        *,
        temperature: int | float = 0.1,
        learned: bool = True,
        unit_features: bool = True,
    ) -> None:
        super().__init__()
        if not 0 < temperature < math.inf:
            raise InputError(
                f"temperature must be positive and finite; got {temperature}. It divides h . h'."
            )
        self.unit_features = unit_features
        log_scale = torch.tensor(-math.log(temperature))
        if learned:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    @property
    def temperature(self) -> float:
        """As it is now."""
        return math.exp(-float(self.log_scale.detach()))

    def features(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The representation h: the encoder's outputs, of unit norm if that was asked for."""
        return F.normalize(y, dim=1) if self.unit_features else y

    def critic(self, h: Float[Tensor, "p d"], other: Float[Tensor, "q d"]) -> Float[Tensor, "p q"]:
        """Every s of two samples: the log-density ratio but for a constant, at the optimum."""
        return self.log_scale.exp() * h @ other.T

    def loss(
        self,
        y: Float[Tensor, "n d"],
        target: Shaped[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Mean over pairs and both directions; draws nothing and is the same throughout.

        Over the batches of all ranks, the same on each.

        Raises:
            InputError: fewer than two pairs, or rows that do not come in pairs.
        """
        del generator, progress
        every, target = gathered(self.features(y)), gathered(target)
        first, second = two_views(every, target, objective="InfoNCE")
        return contrastive_loss(self.critic(first, second))

    def length_penalty(self, y: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
        """E (|y|² - 1)² for unit features, whose loss does not depend on |y|."""
        if not self.unit_features:
            return y.new_zeros(())
        return gathered((y.square().sum(1) - 1).square()).mean()


def contrastive_loss(critic: Float[Tensor, "p p"]) -> Float[Tensor, ""]:
    """-E log softmax of the diagonal, along rows and along columns, the mean of both."""
    rows, columns = critic.log_softmax(1).diagonal(), critic.log_softmax(0).diagonal()
    return -(rows.mean() + columns.mean()) / 2
