"""The distances of two posteriors: by their definition, their bound, and what KL does not see."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from identikit.core.finding import Verdict
from identikit.similarity import likelihoods
from identikit.similarity.compare import compare
from identikit.similarity.likelihoods import likelihood_distances
from identikit.similarity.result import LikelihoodDistances


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distances(a: Tensor, b: Tensor, *, block: int = 1000) -> LikelihoodDistances:
    return likelihood_distances(zip(a.split(block), b.split(block), strict=True), labels=a.shape[1])


def by_definition(a: Tensor, b: Tensor) -> tuple[float, float, float]:
    """KL, LLV and the distance, label by label and pivot by pivot."""
    p, q = (torch.log_softmax(x, dim=1).numpy() for x in (a, b))
    kl, best = float((np.exp(p) * (p - q)).sum(1).mean()), (math.inf, 0.0)
    labels = range(p.shape[1])
    for pivot in labels:
        terms, ratios = [], []
        for y in labels:
            if y != pivot:
                s, t = (x[:, y] - x[:, pivot] for x in (p, q))
                terms += [np.std(p[:, u] / s.std() - q[:, u] / t.std()) for u in (y, pivot)]
                ratios.append(((s - s.mean()) / s.std(), (t - t.mean()) / t.std()))
        left, right = (np.array(side) for side in zip(*ratios, strict=True))
        shared = np.linalg.svd(left @ right.T / len(p), compute_uv=False).sum() / len(ratios)
        best = min(best, (max(terms), 1 - shared))
    return kl, *best


def test_all_are_those_of_the_definition_whatever_the_blocks() -> None:
    h = normal(300, 3)
    a = h @ normal(3, 5, seed=1) + normal(5, seed=2)
    b = (h + 0.3 * normal(300, 3, seed=3)) @ normal(3, 5, seed=1)
    for block in (1000, 7):
        found = distances(a, b, block=block)
        assert (found.kl, found.llv, found.distance) == pytest.approx(by_definition(a, b))


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.2, 1.0])
def test_the_distance_of_representations_is_within_its_bound(noise: float) -> None:
    h, W = normal(400, 3), normal(3, 8, seed=1)
    found = distances(h @ W, (h + noise * normal(400, 3, seed=3)) @ W)
    assert 0 < found.distance <= found.bound


def test_linear_images_with_one_posterior_are_no_distance_apart() -> None:
    h, W, A = normal(200, 3), normal(6, 3, seed=1), normal(3, 3, seed=2)
    found = compare(
        h,
        h @ A,
        head_a=W,
        head_b=W @ torch.linalg.inv(A).T,
        resamples=100,
        shuffles=0,
    )
    assert found.likelihoods is not None
    assert (found.likelihoods.kl, found.likelihoods.llv) == pytest.approx((0, 0), abs=1e-4)
    (said,) = (f for f in found.findings if f.quantity.startswith("posteriors"))
    assert said.verdict is Verdict.AS_PREDICTED
    assert said.explained.startswith("So close that")


def test_close_in_likelihood_and_far_in_representation_is_told_apart() -> None:
    """Classes on a circle, sure of themselves; the other model has them in another order."""
    label = torch.arange(1000) % 10
    turn = 2 * math.pi * torch.arange(10).double() / 10
    circle = torch.stack([turn.cos(), turn.sin()], dim=1)
    other = circle[torch.tensor([0, 3, 6, 9, 2, 5, 8, 1, 4, 7])]
    noise = 0.02 * normal(1000, 2)
    a, b = (200 * (W[label] + noise) for W in (circle, other))
    found = compare(a, b, head_a=circle, head_b=other, resamples=100, shuffles=0)
    assert found.likelihoods is not None
    assert found.likelihoods.kl < 1e-6
    assert found.likelihoods.llv > 0.5
    assert found.likelihoods.distance > 0.3
    (said,) = (f for f in found.findings if f.quantity.startswith("posteriors"))
    assert said.verdict is Verdict.MORE
    assert said.explained.startswith("Close in likelihood only")


def test_of_many_labels_some_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = normal(100, 9), normal(100, 9, seed=1)
    monkeypatch.setattr(likelihoods, "MOST_LABELS", 3)
    found = distances(a, b)
    assert found.labels == 3
    assert found.kl == pytest.approx(by_definition(a, b)[0])


def test_heads_of_other_labels_have_no_posteriors_to_compare() -> None:
    a, b = normal(100, 3), normal(100, 3, seed=1)
    found = compare(a, b, head_a=normal(6, 3), head_b=normal(5, 3), resamples=100, shuffles=0)
    assert found.likelihoods is None
