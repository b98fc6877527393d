"""Cross-entropy over labels: L = -E log q(i|x), q(i|x) = exp(w_i . h) / sum_j exp(w_j . h).

Source: arXiv:2410.21869, equation 2; DIET (instances as labels) and supervised learning
(classes as labels) differ only in what the labels are. Shapes: h is (n, d_h), W is
(labels, d_h). No bias: a constant in h takes its place. With label smoothing e the target is
1 - e on i and e / labels on all (Szegedy et al., arXiv:1512.00567, section 7).

Full softmax. Of many labels logits are made some labels at a time: once, if `MOST_LOGITS` hold them
all; else once for the normaliser and once for the gradients.

Sampled softmax. A batch is cut into groups; a group's softmax runs over the set S of its
own labels and of uniform negatives. The optimum is that of the full softmax: given z and
S, the label is i with probability proportional to p(z|i) pi_i P(S|i), and, labels being
uniform, P(S|i) is the same for every i in S by symmetry, so the minimiser has
s_i - s_j = log p(i|z) - log p(j|z) for every pair that ever meets in an S, which is every
pair. If labels are not uniform, P(S|i) is nearly proportional to 1 / P(i in a random S)
(exactly, were labels to enter S independently), and the logarithm of that probability is
subtracted from the logits during training.
"""

import math
from abc import abstractmethod
from typing import Any, cast, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.objectives.config import HeadConfig
from identikit.objectives.objective import Objective

MANY_LABELS = 2**15
"""From which on the rows are never copied."""
MOST_LOGITS = 2**26
"""Logits that are held at a time."""
IN_CACHE = 2**19
"""Logits that a processor makes at a time."""


class Head(Objective):
    """A linear classifier: logits scale (W h), with h the features and W the rows."""

    config: HeadConfig

    @property
    @abstractmethod
    def scale(self) -> Float[Tensor, ""]:
        """The inverse temperature: learned where features and rows have unit norm, else 1."""

    @abstractmethod
    def rows(self) -> Float[Tensor, "labels d_h"]:
        """The rows that the logits are made of, without the scale."""

    def logits(self, h: Float[Tensor, "n d_h"]) -> Float[Tensor, "n labels"]:
        """Logits over all labels, of features as `features` gives them."""
        return self.scale * h @ self.rows().T


@final
class SoftmaxHead(Head):
    """Rows w_i, one per label, and the cross-entropy of their logits."""

    log_inclusion: Tensor
    _held: Tensor
    _spare: Tensor | None = None

    def __init__(
        self,
        config: HeadConfig,
        n_labels: int,
        dim: int,
        *,
        generator: torch.Generator,
        label_prior: Float[Tensor, " labels"] | None = None,
        label_smoothing: float = 0.0,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.label_smoothing = config, label_smoothing
        self.sparse = sparse and is_sampled(config, n_labels)
        """Whether the gradient of the rows is sparse."""
        if label_smoothing and is_sampled(config, n_labels):
            raise InputError(
                "label_smoothing is a share of all labels, and negatives leaves most of them out; "
                "give one of them."
            )
        bound = dim**-0.5
        weight = torch.empty(n_labels, dim, device=generator.device)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound, generator=generator))
        if config.unit_features and config.unit_rows:
            self.log_scale = nn.Parameter(torch.tensor(math.log(10.0), device=generator.device))
        self.register_buffer("_held", weight.new_empty(0), persistent=False)
        self.register_buffer("log_inclusion", _log_inclusion(config, n_labels, label_prior))

    @property
    def scale(self) -> Float[Tensor, ""]:
        """The inverse temperature: learned where both have unit norm, else absorbed, so 1."""
        if self.config.unit_features and self.config.unit_rows:
            return self.log_scale.exp()
        return self.weight.new_ones(())

    def rows(self) -> Float[Tensor, "labels d_h"]:
        """The rows that the logits are made of, without the scale."""
        return F.normalize(self.weight, dim=1) if self.config.unit_rows else self.weight

    def features(self, y: Float[Tensor, "n d_h"]) -> Float[Tensor, "n d_h"]:
        """The representation h that the logits are made of, without the scale."""
        return F.normalize(y, dim=1) if self.config.unit_features else y

    def loss(
        self,
        y: Float[Tensor, "n d_h"],
        label: Int[Tensor, " n"],
        *,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy of encoder outputs y, full or sampled, ready for backward.

        The same throughout training, so `progress` changes nothing.

        Raises:
            InputError: a batch that does not divide into whole groups, or is smaller than one
                where labels are unequal.
        """
        del progress
        scale = self.scale if self.config.unit_rows else None
        return self.cross_entropy(
            self.features(y), self.weight, label, scale=scale, generator=generator
        )

    def cross_entropy(
        self,
        h: Float[Tensor, "n d_h"],
        weight: Float[Tensor, "labels d_h"],
        label: Int[Tensor, " n"],
        *,
        scale: Float[Tensor, ""] | None,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy of features with any rows in place of the head's, full or sampled.

        Args:
            h: Features.
            weight: Rows before they are normalised.
            label: Of each sample.
            scale: Inverse temperature of unit-norm rows; None: free rows.
            generator: Draws negatives.

        Raises:
            InputError: as `loss`.
        """
        if not is_sampled(self.config, len(weight)):
            memory, self._spare = (self._held, self._spare), None
            return full_cross_entropy(
                h,
                weight,
                label,
                scale=scale,
                label_smoothing=self.label_smoothing,
                memory=memory,
            )
        if len(self.log_inclusion) and len(label) < self.config.group:
            raise InputError(
                f"batch of {len(label)} is smaller than the head's group ({self.config.group}), "
                "for which the correction for unequal labels was made. Lower the group."
            )
        grouped = _into_groups(label, self.config.group)
        candidates, offset = drawn_candidates(
            grouped,
            labels=len(weight),
            negatives=cast(int, self.config.negatives),
            generator=generator,
        )
        if len(self.log_inclusion):
            offset -= self.log_inclusion[candidates]
        position = torch.searchsorted(candidates, grouped)
        if self.sparse or weight.is_cuda:
            rows = F.embedding(candidates, weight, sparse=self.sparse)
        else:  # whose gradient is made thrice as fast, but in no fixed order on CUDA
            rows = weight.index_select(0, candidates.flatten()).view(*candidates.shape, -1)
        h, rows = _scaled(h, rows, scale)
        return mean_cross_entropy(h.view(*grouped.shape, -1), rows, offset, position)

    def sparse_parameters(self) -> list[nn.Parameter]:
        """The rows, if a batch touches few of them."""
        return [self.weight] if self.sparse else []

    def take_back(self, gradient: Tensor) -> None:
        """Keep the memory of a gradient of many rows: fresh pages cost a tenth of a step."""
        if len(self.weight) >= MANY_LABELS and not self.sparse:
            self._spare = gradient

    def length_penalty(self, y: Float[Tensor, "n d_h"]) -> Float[Tensor, ""]:
        """E (|y|² - 1)², for training with features of unit norm; zero with free ones.

        Such a loss does not depend on |y|, so this moves no optimum. Without it |y|
        grows a thousandfold in training, and the encoder slows down by as much.
        """
        if not self.config.unit_features:
            return y.new_zeros(())
        return (y.square().sum(1) - 1).square().mean()


def drawn_candidates(
    grouped: Int[Tensor, "g b"], *, labels: int, negatives: int, generator: torch.Generator
) -> tuple[Int[Tensor, "g k"], Float[Tensor, "g k"]]:
    """Sorted labels of each group's softmax and what is added to their logits.

    A label that came up twice takes part once: its repetitions get minus infinity.

    Args:
        grouped: Labels of the samples of each group.
        labels: How many there are.
        negatives: How many join each group's.
        generator: Draws them.
    """
    shape = (len(grouped), negatives)
    drawn = torch.randint(labels, shape, generator=generator, device=grouped.device)
    both = torch.cat([grouped, drawn], 1)
    cpu = both.device.type == "cpu"  # where NumPy sorts several times as fast
    candidates = torch.from_numpy(np.sort(both.numpy(), 1)) if cpu else both.sort(1)[0]
    offset = torch.zeros(candidates.shape, device=grouped.device)
    offset[:, 1:].masked_fill_(candidates[:, 1:] == candidates[:, :-1], -math.inf)
    return candidates, offset


def full_cross_entropy(
    h: Float[Tensor, "n d_h"],
    weight: Float[Tensor, "labels d_h"],
    label: Int[Tensor, " n"],
    *,
    scale: Float[Tensor, ""] | None,
    offset: Float[Tensor, " labels"] | None = None,
    label_smoothing: float = 0.0,
    memory: tuple[Tensor, Tensor | None] | None = None,
) -> Float[Tensor, ""]:
    """As `SoftmaxHead.cross_entropy`, over all labels.

    Args:
        h: Features.
        weight: Rows before they are normalised.
        label: Of each sample.
        scale: Inverse temperature of unit-norm rows; None: free rows.
        offset: Added to the logit of each label.
        label_smoothing: Share of the target that all labels have in common.
        memory: What may be overwritten: for logits, of any shape, and for the gradient of the rows.
    """
    h, rows = _scaled(h, weight, scale)
    if offset is None and len(rows) >= MANY_LABELS:
        held, spare = (h.new_empty(0), None) if memory is None else memory
        return cast(Tensor, _ManyLabels.apply(h, rows, label, label_smoothing, held, spare))
    added = None if offset is None else offset[None]
    return mean_cross_entropy(h[None], rows[None], added, label[None], label_smoothing)


def _scaled(h: Tensor, rows: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
    """Features and rows whose products are the logits."""
    return (h, rows) if scale is None else (scale * h, F.normalize(rows, dim=-1))


def is_sampled(config: HeadConfig, n_labels: int) -> bool:
    """Whether sampling leaves any label out; if not, the full softmax is cheaper."""
    return config.negatives is not None and n_labels > config.group + config.negatives


def _log_inclusion(config: HeadConfig, n_labels: int, prior: Tensor | None) -> Tensor:
    """Log-probability that a random S holds a label; empty where it is the same for all."""
    if prior is None or config.negatives is None or bool((prior == prior[0]).all()):
        return torch.empty(0)
    prior = prior.double()
    log_absent = (config.group - 1) * torch.log1p(-prior)
    log_absent += config.negatives * math.log1p(-1 / n_labels)
    return torch.log(-torch.expm1(log_absent)).float()


def _into_groups(label: Tensor, group: int) -> Tensor:
    size = min(group, len(label))
    if len(label) % size:
        raise InputError(
            f"batch of {len(label)} does not divide into groups of {size}. Choose a batch "
            "size that is a multiple of the head's group."
        )
    return label.view(-1, size)


class _CrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of grouped logits, with the gradients made in the forward pass.

    That way the logits are overwritten in place and never kept. They are laid out as
    (g, k, b), which makes both gradients products with a short, wide matrix on the left:
    several times faster on a CPU than the tall, thin ones of (g, b, k).
    """

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        rows: Tensor,
        offset: Tensor | None,
        position: Tensor,
        smoothing: float,
    ) -> Tensor:
        logits = torch.bmm(rows, y.mT)
        if offset is not None:
            logits += offset[..., None]
        target = logits.gather(1, position[:, None])
        if smoothing:
            target = (1 - smoothing) * target + smoothing * logits.mean(1, keepdim=True)
        top = logits.amax(1, keepdim=True)
        p = logits.sub_(top).exp_()  # times its total, by which y is divided instead
        total = p.sum(1, keepdim=True)
        loss = (total.log() + top - target).mean()
        p.scatter_add_(1, position[:, None], (smoothing - 1) * total)
        if smoothing:
            p.sub_(total * (smoothing / p.shape[1]))
        share = (1 / position.numel()) / total
        dy = torch.bmm(rows.mT.contiguous(), p).mul_(share).mT
        drows = torch.bmm(y.mT * share, p.mT).mT
        ctx.save_for_backward(dy, drows)
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *_times(grad, *ctx.saved_tensors), None, None, None


def mean_cross_entropy(
    y: Float[Tensor, "g b d_h"],
    rows: Float[Tensor, "g k d_h"],
    offset: Float[Tensor, "g k"] | None,
    position: Int[Tensor, "g b"],
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Of samples in groups, each over rows of its own.

    Args:
        y: Features.
        rows: Of the labels that take part.
        offset: Added to the logit of each of these.
        position: Of each sample's label among them.
        smoothing: Share of the target that they have in common.
    """
    return cast(Tensor, _CrossEntropy.apply(y, rows, offset, position, smoothing))


class SoftmaxInBlocks:
    """The softmax of y (n, d) over rows (labels, d), some rows at a time, and its gradients.

    A block's logits and rows stay in a processor's cache until all is made of them. Exponentials of
    up to `MOST_LOGITS` logits are kept between the two passes; more are made twice.

    Args:
        y: Features.
        rows: Of all labels, or of those of one rank.
        held: Memory for the exponentials, of any shape, used again at every step: fresh pages cost
            as much as they do.
    """

    def __init__(
        self, y: Float[Tensor, "n d"], rows: Float[Tensor, "labels d"], held: Tensor
    ) -> None:
        n = len(y)
        at_once = min(MOST_LOGITS, IN_CACHE) if y.device.type == "cpu" else MOST_LOGITS
        self.y, self.block = y, max(1, at_once // n)
        self.parts = rows.split(self.block)
        keeps = len(rows) * n <= MOST_LOGITS
        self.kept = held.resize_(len(rows), n).split(self.block) if keeps else None
        self.tops: list[Tensor] = []
        top, total = y.new_full((n,), -math.inf), y.new_zeros(n)
        for k in range(len(self.parts)):
            logits = self._logits(k)
            highest = torch.maximum(top, logits.amax(0))
            total.mul_((top - highest).exp_()).add_(logits.sub_(highest).exp_().sum(0))
            top = highest
            self.tops.append(top)
        self.log_total: Float[Tensor, " n"] = total.log() + top
        """Logarithm of the sum of exponentials."""

    def _logits(self, k: int) -> Float[Tensor, "block n"]:
        out = None if self.kept is None else self.kept[k]
        return torch.mm(self.parts[k], self.y.T, out=out)

    def gradients(
        self,
        log_total: Float[Tensor, " n"],
        label: Int[Tensor, " n"],
        *,
        smoothing: float,
        labels: int,
        spare: Tensor | None = None,
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "labels d"]]:
        """Of the mean cross-entropy, with respect to y and to the rows. Once: it overwrites.

        Args:
            log_total: Normaliser over the labels of all ranks.
            label: Of each sample, counted from the first row; others are of other ranks.
            smoothing: Label smoothing.
            labels: How many there are on all ranks.
            spare: Memory for the gradient of the rows.
        """
        n, count = len(self.y), sum(len(part) for part in self.parts)
        dy = torch.zeros_like(self.y)
        drows = self.y.new_empty(count, self.y.shape[1]) if spare is None else spare
        out, y = drows.split(self.block), self.y / n
        ordered, order = label.sort()
        starts = [*range(0, count, self.block), count]
        cuts = torch.searchsorted(ordered, torch.tensor(starts, device=label.device)).tolist()
        for k, part in enumerate(self.parts):
            if self.kept is None:
                p = self._logits(k).sub_(log_total).exp_()
            else:
                p = self.kept[k].mul_((self.tops[k] - log_total).exp_())
            if smoothing:
                p.sub_(smoothing / labels)
            here = order[cuts[k] : cuts[k + 1]]
            p[label[here] - starts[k], here] -= 1 - smoothing
            dy.addmm_(p.T, part, alpha=1 / n)
            torch.mm(p, y, out=out[k])
        return dy, drows


class _ManyLabels(torch.autograd.Function):
    """The same of one group over labels whose logits may not fit: y (n, d), rows (labels, d)."""

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        rows: Tensor,
        label: Tensor,
        smoothing: float,
        held: Tensor,
        spare: Tensor | None,
    ) -> Tensor:
        softmax = SoftmaxInBlocks(y, rows, held)
        target = (1 - smoothing) * (rows[label] * y).sum(1) + smoothing * (y @ rows.mean(0))
        own: Any = {"smoothing": smoothing, "labels": len(rows), "spare": spare}
        ctx.save_for_backward(*softmax.gradients(softmax.log_total, label, **own))
        return (softmax.log_total - target).mean()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *_times(grad, *ctx.saved_tensors), None, None, None, None


def _times(grad: Tensor, *gradients: Tensor) -> tuple[Tensor, ...]:
    """Gradients by what the loss has itself; as that is 1 in training, no copies for nothing."""
    return gradients if float(grad) == 1 else tuple(each * grad for each in gradients)
