"""What is to be told apart, and what came out; x is (n, p)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """Labels to be told apart, of the same rows."""

    label: Int[Tensor, "tasks n"]
    weight: Float[Tensor, "tasks n"]
    """Of each row in the loss; 0 leaves it out."""
    classes: Int[Tensor, " tasks"]
    """Number of classes of each task; labels are below it where the weight is not 0."""

    def __len__(self) -> int:
        return len(self.label)


class Start(NamedTuple):
    """Where the search of each problem starts, as in `LogisticFits`."""

    weight: Float[Tensor, "problems p classes"]
    bias: Float[Tensor, "problems classes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticFits:
    """The solution of each problem; of two classes the first has the logit 0."""

    weight: Float[Tensor, "problems p classes"]
    bias: Float[Tensor, "problems classes"]
    """Minus infinity for classes that the task does not have."""
    objective: Float[Tensor, " problems"]
    converged: Bool[Tensor, " problems"]

    def logits(self, x: Float[Tensor, "*designs n p"]) -> Float[Tensor, "problems n classes"]:
        """W x + b of every problem."""
        first = 1 if self.weight.shape[2] == 2 else 0  # of two classes the first has weights 0
        weight = self.weight[:, :, first:].mT
        own = weight.reshape(*x.shape[:-2], -1, x.shape[-1])
        found = (own @ x.mT).view(*weight.shape[:2], -1)  # faster than x W
        moved: Tensor = torch.nn.functional.pad(found, (0, 0, first, 0)).mT
        return moved + self.bias[:, None]


def losses(
    logits: Float[Tensor, "problems n classes"],
    label: Int[Tensor, "problems n"],
    weight: Float[Tensor, "problems n"],
) -> Float[Tensor, " problems"]:
    """Weighted mean of -log softmax(logits)_label, over the rows with weight; 0 without any."""
    of_label = logits.log_softmax(dim=2).gather(2, label[:, :, None])[:, :, 0]
    kept = weight > 0
    total = -torch.where(kept, weight * of_label, 0.0).sum(dim=1)
    mean: Tensor = total / weight.sum(dim=1).clamp(min=torch.finfo(weight.dtype).tiny)
    return mean
