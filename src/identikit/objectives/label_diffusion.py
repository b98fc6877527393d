"""Cross-entropy of labels that walk: L = -E sum_j (P^t)_ij log q(j|x), P from the model itself.

P_ij is proportional to E q(i|x) q(j|x), the chance to go from class i to an observation of it and
on to class j as it sees that observation. If classes are far apart, each overlaps with few others,
and the loss hardly knows where the rest lie: h may be folded, or bent, at next to no cost, and no
small step mends that. After a walk of t steps classes overlap with many, so the loss sees the whole
arrangement; on a sphere the walked labels follow nearly the same von Mises-Fisher world at a
concentration of about kappa / (2 t + 1). It takes a model that tells neighbours right, such as one
with extra dimensions, and no knowledge of the world. Shapes: logits (n, labels), P and P^t
(labels, labels).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

_ALONE = 1e-6
"""How often every label meets itself before any other: without observations it stays."""


class LabelDiffusion(nn.Module):
    """A random walk over labels that the model takes for each other.

    Args:
        n_labels: Number of labels; memory grows with its square.
    """

    meetings: Tensor

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        self.register_buffer("meetings", _ALONE * torch.eye(n_labels))
        self._walked: tuple[int, Tensor] | None = None  # of a number of steps; P stands by then

    @torch.no_grad()
    def meet(self, logits: Float[Tensor, "n labels"]) -> None:
        """Count which labels share these observations."""
        q = torch.softmax(logits, 1)
        self.meetings.addmm_(q.T, q)
        self._walked = None

    def targets(self, steps: int) -> Float[Tensor, "labels labels"]:
        """P^t: where a walk of so many steps ends, by the label that it starts from."""
        if self._walked is None or self._walked[0] != steps:
            once = self.meetings / self.meetings.sum(1, keepdim=True)
            self._walked = steps, torch.linalg.matrix_power(once, steps)
        return self._walked[1]

    def cross_entropy(
        self, logits: Float[Tensor, "n labels"], label: Int[Tensor, " n"], *, steps: int
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy of where the labels walk to."""
        return -(self.targets(steps)[label] * torch.log_softmax(logits, 1)).sum(1).mean()
