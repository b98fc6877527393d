"""The least loss that any encoder can reach: E H(p(label | image)), nats.

Images of the same pixels cannot be told apart, so the label of such an image is any of theirs, and
label smoothing e makes it (1 - e) of that and e of any label. Without augmentation a network that
is large enough reaches this. With it labels whose views overlap add to it: entropy is concave.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def loss_floor(
    label: Int[Tensor, " n"], copy_of: Int[Tensor, " n"], *, labels: int, smoothing: float
) -> float:
    """Least cross-entropy over images that are drawn equally often.

    Args:
        label: Of each image.
        copy_of: Number of the first image with the same pixels.
        labels: How many there are.
        smoothing: Label smoothing.
    """
    pairs, count = torch.stack([copy_of, label], 1).unique(dim=0, return_counts=True)
    _, group = pairs[:, 0].unique(return_inverse=True)
    size = torch.zeros(int(group.max()) + 1).double().index_add(0, group, count.double())
    share = (1 - smoothing) * count.double() / size[group] + smoothing / labels
    named = torch.zeros_like(size).index_add(0, group, -_plogp(share))
    others = labels - torch.bincount(group, minlength=len(size)).double()
    rest = -_plogp(torch.full((), smoothing / labels, dtype=torch.float64))
    return float(((named + others * rest) * size).sum() / size.sum())


def _plogp(p: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    return torch.xlogy(p, p)
