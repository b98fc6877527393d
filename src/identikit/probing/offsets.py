"""Analogies between rows of vectors: do differences agree, and does an offset find the fourth?

For pairs (a_i, b_i) with differences p_i = h(b_i) - h(a_i), over pairs i != j:

    additivity   mean p_i.p_j / mean |p_i|²           1: one step for all; 0: chance
    cosine       the same of p_i / |p_i|
    projection   mean over i of cos(p_i, sum_{j != i} p_j): each on the direction of the others
    retrieval    is h(b) - h(a) + h(c) nearest to h(d)? (Mikolov et al. 2013)

An offset may hit because d is near c or b, whatever the offset, so the nearest neighbours of c and
of b stand beside it (Linzen 2016); without excluding a, b and c the answer is mostly one of them.
In the causal inner product of Park, Choe and Veitch (2023), x' C^-1 y with the covariance C of the
output embedding, all is the same of vectors multiplied by C^-1/2. Rows are words, or samples.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from identikit.core.estimate import Estimate
from identikit.core.linalg import whitening
from identikit.statistics.bootstrap import Bootstrap, Statistic
from identikit.statistics.intervals import CORRELATION, of_balanced_accuracy

AT_ONCE = 1 << 24
"""Similarities at a time."""


def agreement(p: Float[Tensor, "n d"]) -> Statistic:
    """Mean p_i.p_j over i != j, over mean |p_i|²; 0 where nothing differs."""
    size = p.square().sum(dim=1)
    scale = size.mean().sqrt().clamp(min=torch.finfo(torch.float64).tiny)
    p, size = p / scale, size / scale.square()

    def statistic(weights: Tensor) -> Tensor:
        total, squares = weights.sum(dim=1), weights.square()
        pairs = total.square() - squares.sum(dim=1)
        both = (weights @ p).square().sum(dim=1) - squares @ size
        mean = weights @ size / total
        defined = (pairs > 0) & (mean > 0)
        found = both / pairs.where(defined, 1.0) / mean.where(defined, 1.0)
        return torch.where(pairs > 0, found.where(mean > 0, 0.0), torch.nan)[:, None]

    return Statistic(statistic, CORRELATION)


def projections(p: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Cosine of each difference with the sum of the others."""
    return torch.nn.functional.cosine_similarity(p, p.sum(dim=0) - p, dim=1)


def unit(p: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rows of length 1; rows of 0 stay."""
    return torch.nn.functional.normalize(p, dim=1, eps=torch.finfo(torch.float64).tiny)


def mean_cosine(values: Float[Tensor, " n"], bootstrap: Bootstrap) -> Estimate:
    """The mean over points, with its interval."""

    def statistic(weights: Tensor) -> Tensor:
        return (weights @ values / weights.sum(dim=1))[:, None]

    return bootstrap.estimates(Statistic(statistic, CORRELATION))[0]


def share_of(hits: Bool[Tensor, " m"], *, targets: int) -> Estimate:
    """The share of questions that hit, with Wilson's interval.

    Args:
        hits: Which did.
        targets: How many different pairs c, d they ask for: what counts as independent.
    """
    share = hits.double().mean()[None]
    return of_balanced_accuracy(share, torch.tensor([float(targets)], dtype=torch.float64))


def causal(h: Float[Tensor, "n d"], rows: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
    """Vectors whose inner products are the causal ones, by the covariance of some rows."""
    rows = rows.double() - rows.double().mean(dim=0)
    return h.double() @ whitening(rows.T @ rows / len(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Which questions a : b = c : ? find d."""

    offset: Bool[Tensor, " m"]
    """By the offset, a, b and c excluded."""
    offset_with_inputs: Bool[Tensor, " m"]
    """By the offset among all rows."""
    near_c: Bool[Tensor, " m"]
    """By the nearest neighbour of c alone, a, b and c excluded."""
    near_b: Bool[Tensor, " m"]
    """By that of b alone."""


def retrieved(
    h: Float[Tensor, "n d"],
    questions: Int[Tensor, "4 m"],
    *,
    label: Int[Tensor, " n"],
    cosine: bool,
) -> Hits:
    """Answer questions by the nearest row.

    Args:
        h: Vectors.
        questions: Rows a, b, c and d.
        label: What each row is: rows of one label are one answer, and excluded together.
        cosine: Whether the nearest is that of the largest cosine, else of the least distance.
    """
    h = h.double() if cosine else h.double() - h.double().mean(dim=0)
    near = unit(h).float() if cosine else h.float()
    far = 0.0 if cosine else h.square().sum(dim=1).float() / 2
    found: list[list[Tensor]] = [[], [], [], []]
    for part in questions.split(max(1, AT_ONCE // len(h)), dim=1):
        a, b, c, d = part
        queries = h[b] - h[a] + h[c], h[c], h[b]
        given = torch.stack([label == label[k][:, None] for k in (a, b, c)]).any(dim=0)
        for place, query in enumerate(queries):
            alike = query.float() @ near.T - far
            if place == 0:
                found[1].append(label[alike.argmax(dim=1)] == label[d])
            best = alike.masked_fill(given, -torch.inf).argmax(dim=1)
            found[(0, 2, 3)[place]].append(label[best] == label[d])
    offset, with_inputs, near_c, near_b = (torch.cat(part) for part in found)
    return Hits(offset=offset, offset_with_inputs=with_inputs, near_c=near_c, near_b=near_b)
