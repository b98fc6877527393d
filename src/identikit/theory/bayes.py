"""Bayes cross-entropy H(i|z) and excess loss E_z KL(p(i|z) || q(i|z)).

Source: the paper (arXiv:2410.21869), section 3, for the model; that the cross-entropy of
any model exceeds H(i|z) by exactly that divergence is the chain CE = H + KL.
Labels of one class share p(z|i), so p(i|z) = p(c|z) pi_i / Pi_c and
H(i|z) = H(c|z) + sum_c Pi_c H(i|c): only the first part is estimated.
z is (n, d), log p(c|z) is (n, classes), head rows W are (labels, d_h).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.world import ClusterWorld

CHUNK = 2**22  # numbers held at once where a matrix (samples, labels) would not fit


@dataclass(frozen=True, slots=True, kw_only=True)
class BayesLoss:
    """The cross-entropy of a perfect learner; no model gets below it."""

    value: float
    """H(i|z) in nats: class part plus label part."""
    standard_error: float
    """Of `value`, in nats; from the sampling of z alone."""
    class_part: float
    """H(c|z) in nats: what the overlap of the classes costs."""
    label_part: float
    """sum_c Pi_c H(i|c) in nats, exact: labels of one class cannot be told apart.
    log(N / C) for uniform labels."""
    bayes_accuracy: float
    """Share of samples whose class the best classifier names correctly."""
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcessLoss:
    """How far a model's cross-entropy lies above the Bayes loss: the certificate."""

    value: float
    """E_z KL(p(i|z) || q(i|z)) in nats, at least 0."""
    standard_error: float
    """In nats; from the sampling of z alone."""
    row_noise: float
    """What of `value` would go if every label of a class had the class's mean row, in nats."""


def label_entropy(world: ClusterWorld) -> float:
    """sum_c Pi_c H(i|c) in nats: what the class does not say about the label."""
    prior, of_class = world.label_prior.double(), world.class_prior.double()
    within = prior / of_class[world.class_of_label]
    return float(-torch.xlogy(prior, within).sum())


def bayes_loss(world: ClusterWorld, *, samples: int, generator: torch.Generator) -> BayesLoss:
    """Estimate the Bayes loss of a world from fresh samples.

    Args:
        world: Whose log-density is known.
        samples: Number of z drawn, at least 2.
        generator: On the world's device.

    Raises:
        InputError: fewer than 2 samples.
    """
    if samples < 2:
        raise InputError(f"samples must be at least 2 for a standard error; got {samples}.")
    entropies, best = [], []
    chunk = max(1, CHUNK // world.n_classes)
    for start in range(0, samples, chunk):
        z = world.sample(min(chunk, samples - start), generator=generator).z
        log_p = world.log_posterior(z)
        entropies.append(entropy(log_p))
        best.append(log_p.max(dim=1).values.exp())
    per_sample = torch.cat(entropies)
    label_part = label_entropy(world)
    class_part = per_sample.mean().item()
    return BayesLoss(
        value=class_part + label_part,
        standard_error=per_sample.std().item() / samples**0.5,
        class_part=class_part,
        label_part=label_part,
        bayes_accuracy=torch.cat(best).mean().item(),
        samples=samples,
    )


def entropy(log_p: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    """-sum_k p log p per row, in nats; 0 log 0 counts as 0."""
    p = log_p.exp()
    return -(p * log_p).where(p > 0, 0.0).sum(dim=1)


def excess_loss(
    world: ClusterWorld,
    log_posterior: Float[Tensor, "n classes"],
    *,
    h: Float[Tensor, "n _"],
    head: Float[Tensor, "labels d_h"],
) -> ExcessLoss:
    """The divergence of a model's label posterior softmax(h W') from the true one.

    Exact for each sample, so far less noisy than a difference of cross-entropies. Because
    logits are linear in W, sum_i p(i|z) w_i . h needs only each class's mean row; the
    normaliser alone runs over all labels, some rows of h at a time.

    Args:
        world: The world that the samples came from.
        log_posterior: `world.log_posterior(z)` of the samples; compute it once where the
            same samples are used again.
        h: Features of the same samples, as the softmax sees them: multiplied by the inverse
            temperature, where there is one.
        head: Rows W, one per label.

    Raises:
        InputError: shapes that do not fit the world, or fewer than 2 samples.
    """
    n = len(log_posterior)
    if log_posterior.shape[1] != world.n_classes or head.shape[0] != world.n_labels:
        raise InputError(
            f"log_posterior needs one column per class ({world.n_classes}) and head one row per "
            f"label ({world.n_labels}); got {tuple(log_posterior.shape)} and {tuple(head.shape)}."
        )
    if n < 2 or h.shape != (n, head.shape[1]):
        raise InputError(
            "h needs one row per sample (at least 2) and one column per column of head; "
            f"got {tuple(h.shape)} for {n} samples and a head of shape {tuple(head.shape)}."
        )
    classes = world.class_of_label
    share = world.label_prior.double() / world.class_prior.double()[classes]
    mean_row = torch.zeros(world.n_classes, head.shape[1], dtype=torch.float64, device=h.device)
    mean_row.index_add_(0, classes, share[:, None] * head.double())
    p = log_posterior.double().exp()
    linear = ((p @ mean_row) * h.double()).sum(dim=1)
    normaliser = torch.cat(
        [
            torch.logsumexp(rows @ head.T, dim=1).double()
            for rows in torch.split(h, max(1, CHUNK // len(head)))
        ]
    )
    count = torch.bincount(classes, minlength=world.n_classes)
    without_noise = torch.logsumexp(h.double() @ mean_row.T + count.double().log(), dim=1)
    within = -torch.zeros(world.n_classes, dtype=torch.float64, device=h.device).index_add_(
        0, classes, torch.xlogy(share, share)
    )  # H(i|c)
    divergence = normaliser - linear - entropy(log_posterior.double()) - p @ within
    return ExcessLoss(
        value=divergence.mean().item(),
        standard_error=divergence.std().item() / n**0.5,
        row_noise=(normaliser - without_noise).mean().item(),
    )
