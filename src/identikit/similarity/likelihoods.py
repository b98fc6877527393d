"""How close two posteriors p(y | x) = softmax(W h)_y are, by what bounds h and by what does not.

With y_0 a pivot, r_y(x) = log p(y | x) - log p(y_0 | x) and s_y² = Var_x r_y, primes for the other,

KL       E_x KL(p(. | x), p'(. | x)): small values bound nothing (Nielsen et al. 2025,
         arXiv:2506.03784, theorem 3.1)
LLV      max over y != y_0 and u in {y, y_0} of sd_x(log p(u | x) / s_y - log p'(u | x) / s'_y), for
         the pivot that makes it least: the term over inputs of their log-likelihood-variance
         distance, whose others are about heads and scales
distance 1 - sum of singular values of Cov_x(r / s, r' / s') / (labels - 1): their d_SVD over all
         labels. 0 where W h and W' h' agree up to each label's scale, at most 1

and distance <= 2 LLV²: the singular values sum to no less than the trace, sum_y 1 - v_y² / 2 with
v_y = sd_x(r_y / s_y - r'_y / s'_y), and v_y <= 2 LLV since r is a difference of two terms. All from
the covariance of (log p, log p'), gathered block by block. h is (n, d), W is (labels, d).
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.similarity.result import LikelihoodDistances

MOST_LABELS = 1000
"""Over which the distances are taken; evenly spaced ones where there are more."""


def likelihood_distances(
    logits: Iterable[tuple[Float[Tensor, "b labels"], Float[Tensor, "b labels"]]], *, labels: int
) -> LikelihoodDistances:
    """The distances of two posteriors over the same labels, in one pass.

    Args:
        logits: Of blocks of samples, of A and of B.
        labels: How many there are.
    """
    some = torch.arange(labels)
    if labels > MOST_LABELS:
        some = torch.linspace(0, labels - 1, MOST_LABELS).round().long()
    n, kl, k = 0, 0.0, len(some)
    first = torch.zeros(2 * k, dtype=torch.float64)
    total, square = torch.zeros_like(first), first.new_zeros(2 * k, 2 * k)
    for a, b in logits:
        p, q = torch.log_softmax(a, dim=1), torch.log_softmax(b, dim=1)
        kl += (p.exp() * (p - q)).sum().item()
        both = torch.cat([p[:, some], q[:, some]], dim=1)
        if not n:
            first = both.mean(dim=0)  # near the mean, so that little cancels
        both = both - first
        n += len(both)
        total += both.sum(dim=0)
        square.addmm_(both.T, both)
    covariance = square / n - torch.outer(total / n, total / n)
    aa, bb, ab = covariance[:k, :k], covariance[k:, k:], covariance[:k, k:]
    llv, pivot = _llv(aa, bb, ab).min(dim=0)
    keep = torch.arange(k) != pivot

    def less_pivot(c: Tensor) -> Tensor:
        rows = (c - c[pivot])[keep]
        return (rows - rows[:, pivot, None])[:, keep]

    ratios = less_pivot(ab)
    sizes = [less_pivot(c).diagonal().clamp(min=0).sqrt() for c in (aa, bb)]
    scale = torch.outer(*sizes)
    correlations = torch.where(scale > 0, ratios / scale.where(scale > 0, 1.0), 0.0)
    shared = torch.linalg.svdvals(correlations).sum() / (k - 1)
    return LikelihoodDistances(
        labels=k, kl=kl / n, llv=llv.item(), distance=(1 - shared).clamp(min=0).item()
    )


def _llv(
    aa: Float[Tensor, "k k"], bb: Float[Tensor, "k k"], ab: Float[Tensor, "k k"]
) -> Float[Tensor, " pivots"]:
    """The term for each label as the pivot (columns) from covariances of log-likelihoods."""

    def ratio(c: Tensor) -> Tensor:
        v = c.diagonal()
        size = v[:, None] + v - 2 * c
        return torch.where(size > 0, size, torch.nan).sqrt()

    s, t = ratio(aa), ratio(bb)
    a, b, c = (m.diagonal() for m in (aa, bb, ab))
    of_label = a[:, None] / s**2 + b[:, None] / t**2 - 2 * c[:, None] / (s * t)
    of_pivot = a / s**2 + b / t**2 - 2 * c / (s * t)
    largest = torch.maximum(of_label, of_pivot).nan_to_num(nan=0.0).clamp(min=0)
    return largest.amax(dim=0).sqrt()
