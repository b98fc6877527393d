"""Cross-entropy over labels whose rows are split over ranks: no rank holds all rows or logits.

Each rank has B / ranks samples and N / ranks rows. Features are gathered, (B, d); each rank makes
the logits of its rows, some at a time; the largest, the sum of exponentials and the logit of the
label are reduced over ranks. The gradient of h is the sum over ranks, that of the rows is each
rank's own. Source: Megatron-LM's vocabulary-parallel cross-entropy (arXiv:1909.08053, section 3).
"""

from typing import Any, cast, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.core.ranks import Shard, gathered, highest, ranks, summed
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import (
    Head,
    SoftmaxInBlocks,
    drawn_candidates,
    is_sampled,
    mean_cross_entropy,
)

_DRAWN = 2**16
"""Rows that are drawn at a time."""


@final
class ShardedHead(Head):
    """This rank's rows of a plain head, with the same initial rows as one alone would draw."""

    def __init__(
        self,
        config: HeadConfig,
        n_labels: int,
        dim: int,
        *,
        generator: torch.Generator,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.config, self.label_smoothing = config, label_smoothing
        self.sampled = is_sampled(config, n_labels)
        self.split = Shard.of(n_labels)
        weight = torch.empty(self.split.stop - self.split.start, dim, device=generator.device)
        for first in range(0, n_labels, _DRAWN):
            count = min(_DRAWN, n_labels - first)
            drawn = torch.empty(count, dim).uniform_(-(dim**-0.5), dim**-0.5, generator=generator)
            low, high = max(first, self.split.start), min(first + count, self.split.stop)
            if low < high:
                weight[low - self.split.start : high - self.split.start] = drawn[
                    low - first : high - first
                ]
        self.weight = nn.Parameter(weight)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """One: rows are free."""
        return self.weight.new_ones(())

    def shard(self) -> Shard:
        """Which rows this rank has."""
        return self.split

    def rows(self) -> Float[Tensor, "labels d_h"]:
        """All rows, gathered: every rank asks at the same point."""
        return self.split.gather(self.weight.detach())

    def features(self, y: Float[Tensor, "n d_h"]) -> Float[Tensor, "n d_h"]:
        """The outputs of the encoder."""
        return y

    def loss(
        self,
        y: Float[Tensor, "n d_h"],
        label: Int[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy over the batches of all ranks, the same on each."""
        del progress
        if self.sampled:
            return self._sampled(gathered(y), gathered(label)[None], generator)
        args = (y, self.weight, label, self.split, self.label_smoothing)
        return cast(Tensor, _ShardedCrossEntropy.apply(*args))

    def sparse_parameters(self) -> list[nn.Parameter]:
        """This rank's rows, if a batch touches few of them."""
        return [self.weight] if self.sampled else []

    def _sampled(self, y: Tensor, label: Tensor, generator: torch.Generator) -> Tensor:
        candidates, offset = drawn_candidates(
            label,
            labels=self.split.total,
            negatives=cast(int, self.config.negatives),
            generator=generator,
        )
        place = candidates[0] - self.split.start
        here = ((place >= 0) & (place < len(self.weight))).nonzero()[:, 0]
        own = F.embedding(place[here], self.weight, sparse=True)
        rows = y.new_zeros(len(place), y.shape[1]).index_put((here,), own)
        rows = cast(Tensor, _Summed.apply(rows))
        position = torch.searchsorted(candidates, label)
        return mean_cross_entropy(y[None], rows[None], offset, position)


class _Summed(torch.autograd.Function):
    """The sum over ranks, each of which computes the same from it and so has its whole gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return summed(own.clone())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class _ShardedCrossEntropy(torch.autograd.Function):
    """As `head._ManyLabels`, over samples and rows of all ranks."""

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, rows: Tensor, label: Tensor, split: Shard, smoothing: float
    ) -> Tensor:
        mine = Shard.of(len(y) * ranks())
        y, label = mine.gather(y), mine.gather(label)
        softmax = SoftmaxInBlocks(y, rows, y.new_empty(0))
        top = highest(softmax.log_total.clone())
        log_total = summed((softmax.log_total - top).exp_()).log_() + top
        own = label - split.start
        here = ((own >= 0) & (own < len(rows))).nonzero()[:, 0]
        target = smoothing / split.total * (y @ rows.sum(0))
        target[here] += (1 - smoothing) * (rows[own[here]] * y[here]).sum(1)
        dy, drows = softmax.gradients(log_total, own, smoothing=smoothing, labels=split.total)
        ctx.save_for_backward(mine.take(summed(dy)), drows)
        return (log_total - summed(target)).mean()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        dy, drows = ctx.saved_tensors
        return dy * grad, drows * grad, None, None, None
