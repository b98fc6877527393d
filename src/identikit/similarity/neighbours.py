"""Mutual nearest neighbours: what share of a sample's k nearest are the same in a and in b.

    mutual k-NN = mean_i |N_a(i) ∩ N_b(i)| / k

with N(i) the k other samples of greatest cosine with sample i, features less their mean (Huh et al.
2024, arXiv:2405.07987, who leave the mean in; without it a shift changes nothing). Shuffled rows
share k / (n - 1). Of many samples a random part stands for all, and rows are read block by block
against blocks: no n x n matrix is ever there. h is (n, d), neighbours are (n, k).
"""

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from identikit.core.memory_mapped import row_blocks
from identikit.core.randomness import stream
from identikit.statistics.split import Split

K = 10
"""Neighbours, or one less than there are samples."""
MOST_SAMPLES = 2000
"""Whose neighbours among each other are looked at."""
BLOCK_ROWS = 1024


def sampled(n: int, split: Split, *, seed: int) -> tuple[Int[Tensor, " m"], Split]:
    """Which samples stand for all, all of them where they are few, and the split of these."""
    if n <= MOST_SAMPLES:
        return torch.arange(n), split
    some = torch.randperm(n, generator=stream(seed, "neighbours"))[:MOST_SAMPLES].sort().values
    fitted = torch.isin(some, split.train)
    return some, Split(train=fitted.nonzero().flatten(), test=(~fitted).nonzero().flatten())


def nearest(
    h: Num[Tensor, "n_all d"],
    rows: Int[Tensor, " n"],
    *,
    into: Float[Tensor, "d r"] | None = None,
) -> Int[Tensor, "n k"]:
    """The nearest other rows of each row, as positions among `rows`, the nearest first.

    Args:
        h: Features.
        rows: Which of them.
        into: A map of centred rows to what is compared; None for the rows themselves.
    """
    n = len(rows)
    k = min(K, n - 1)
    mean = torch.stack([h[part].double().sum(dim=0) for part in row_blocks(h, rows)]).sum(0) / n
    x = torch.cat(
        [
            (h[part].double() - mean) @ into if into is not None else h[part].double() - mean
            for part in row_blocks(h, rows)
        ]
    )
    x = torch.nn.functional.normalize(x, dim=1)
    found = torch.empty(n, k, dtype=torch.long)
    for start in range(0, n, BLOCK_ROWS):
        here = x[start : start + BLOCK_ROWS]
        value = here.new_full((len(here), k), -torch.inf)
        index = torch.zeros(len(here), k, dtype=torch.long)
        for other in range(0, n, BLOCK_ROWS):
            cosine = here @ x[other : other + BLOCK_ROWS].T
            if other == start:
                cosine.fill_diagonal_(-torch.inf)
            near, place = cosine.topk(min(k, cosine.shape[1]), dim=1)
            value, best = torch.cat([value, near], dim=1).topk(k, dim=1)
            index = torch.cat([index, place + other], dim=1).gather(1, best)
        found[start : start + len(here)] = index
    return found


def shared(a: Int[Tensor, "n k"], b: Int[Tensor, "n k"]) -> Float[Tensor, " n"]:
    """Share of each row's neighbours that are the same in both.

    Args:
        a: Neighbours of each row.
        b: The same in other features.
    """
    return (a[:, :, None] == b[:, None, :]).any(dim=2).double().mean(dim=1)


def shuffled(b: Int[Tensor, "*layers n k"], order: Int[Tensor, " n"]) -> Int[Tensor, "*layers n k"]:
    """The neighbours after the rows were put in another order: those of row order[i] at i."""
    return order.argsort()[b[..., order, :]]
