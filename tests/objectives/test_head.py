"""The head: losses and gradients against PyTorch, and what sampling the softmax changes."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.objectives import head as head_module
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead

FULL = HeadConfig(negatives=None)
NORMS = [
    {"unit_features": features, "unit_rows": rows}
    for features in (False, True)
    for rows in (False, True)
]
every_case = pytest.mark.parametrize("norms", NORMS, ids=["C4", "C3", "C2", "C1"])


def build(
    config: HeadConfig = FULL, *, labels: int = 12, dim: int = 4, prior: Tensor | None = None
) -> SoftmaxHead:
    generator = torch.Generator().manual_seed(0)
    return SoftmaxHead(config, labels, dim, generator=generator, label_prior=prior).double()


def batch(n: int = 24, *, labels: int = 12, dim: int = 4, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    return y.requires_grad_(), torch.randint(labels, (n,), generator=generator)


def gradients(loss: Tensor, head: SoftmaxHead, y: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [y, *head.parameters()]))


def zipf(labels: int) -> Tensor:
    """Probability falls as 1 / rank."""
    prior = 1 / torch.arange(1, labels + 1, dtype=torch.float64)
    return prior / prior.sum()


def plain_loss(
    head: SoftmaxHead, y: Tensor, label: Tensor, *, label_smoothing: float = 0.0
) -> Tensor:
    """The full cross-entropy in PyTorch's words."""
    rows: Tensor = head.weight
    if head.config.unit_features:
        y = F.normalize(y, dim=1)
    if head.config.unit_rows:
        rows = F.normalize(rows, dim=1)
    if head.config.unit_features and head.config.unit_rows:
        y = y * head.log_scale.exp()
    return F.cross_entropy(y @ rows.T, label, label_smoothing=label_smoothing)


@every_case
def test_full_loss_and_gradients_are_those_of_pytorch(norms: dict[str, bool]) -> None:
    head = build(HeadConfig(**norms, negatives=None))
    y, label = batch()
    loss = head.loss(y, label, generator=torch.Generator())
    expected = plain_loss(head, y, label)
    torch.testing.assert_close(loss, expected, rtol=1e-13, atol=0)
    for got, want in zip(gradients(loss, head, y), gradients(expected, head, y), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-14)


@every_case
@pytest.mark.parametrize("smoothing", [0.0, 0.8])
@pytest.mark.parametrize("most", [None, 1, 24 * 5, 24 * 12 - 1, 24 * 12])
def test_smoothed_loss_and_gradients_are_those_of_pytorch_in_chunks_or_whole(
    norms: dict[str, bool], smoothing: float, most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if most is not None:
        monkeypatch.setattr(head_module, "MANY_LABELS", 12)
        monkeypatch.setattr(head_module, "MOST_LOGITS", most)
        monkeypatch.setattr(head_module, "IN_CACHE", 24 * 5)
    head = build(HeadConfig(**norms, negatives=None))
    head.label_smoothing = smoothing
    y, label = batch()
    loss = 3 * head.loss(y, label, generator=torch.Generator())
    expected = 3 * plain_loss(head, y, label, label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected, rtol=1e-13, atol=0)
    for got, want in zip(gradients(loss, head, y), gradients(expected, head, y), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-14)


def test_memory_that_is_used_again_belongs_to_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module, "MANY_LABELS", 12)
    monkeypatch.setattr(head_module, "IN_CACHE", 24 * 5)
    head = build()
    head.take_back(torch.empty_like(head.weight))
    batches = [batch(24), batch(8), batch(16)]
    losses = [head.loss(y, label, generator=torch.Generator()) for y, label in batches]
    for (y, label), loss in zip(batches, losses, strict=True):
        expected = gradients(plain_loss(head, y, label), head, y)
        for got, want in zip(gradients(loss, head, y), expected, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-14)


def test_a_gradient_that_is_done_with_lends_its_memory_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head_module, "MANY_LABELS", 12)
    head, places = build(), []
    for _ in range(3):
        y, label = batch()
        head.loss(y, label, generator=torch.Generator()).backward()
        assert head.weight.grad is not None
        places.append(head.weight.grad.data_ptr())
        head.take_back(head.weight.grad)
        head.weight.grad = None
    assert len(set(places)) == 1


def test_chunks_of_large_logits_neither_overflow_nor_lose_the_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head_module, "MANY_LABELS", 12)
    monkeypatch.setattr(head_module, "MOST_LOGITS", 48)
    head = build()
    y, label = batch()
    loss = head.loss(1e4 * y, label, generator=torch.Generator())
    expected = plain_loss(head, 1e4 * y, label)
    torch.testing.assert_close(loss, expected, rtol=1e-13, atol=0)


def test_smoothing_of_a_sampled_softmax_is_refused() -> None:
    config = HeadConfig(group=4, negatives=2)
    with pytest.raises(InputError, match="label_smoothing is a share of all labels"):
        SoftmaxHead(config, 12, 4, generator=torch.Generator(), label_smoothing=0.1)


@every_case
@pytest.mark.parametrize("prior", [None, zipf(12)], ids=["uniform", "zipf"])
def test_sampled_gradients_are_those_of_finite_differences(
    norms: dict[str, bool], prior: Tensor | None
) -> None:
    head = build(HeadConfig(**norms, negatives=3, group=4), prior=prior)
    y, label = batch(8)

    def loss(y: Tensor, *_parameters: Tensor) -> Tensor:
        return head.loss(y, label, generator=torch.Generator())

    assert torch.autograd.gradcheck(loss, (y, *head.parameters()))


def test_gradients_scale_with_what_the_loss_is_multiplied_by() -> None:
    head = build()
    y, label = batch()
    once = gradients(head.loss(y, label, generator=torch.Generator()), head, y)
    thrice = gradients(3 * head.loss(y, label, generator=torch.Generator()), head, y)
    for a, b in zip(once, thrice, strict=True):
        torch.testing.assert_close(3 * a, b)


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_large_logits_neither_overflow_nor_lose_the_loss(size: float) -> None:
    head = build()
    y, label = batch()
    y = size * y.detach()
    loss = head.loss(y, label, generator=torch.Generator())
    torch.testing.assert_close(loss, plain_loss(head, y, label), rtol=1e-12, atol=0)


@every_case
def test_single_precision_is_as_good_as_pytorchs(norms: dict[str, bool]) -> None:
    head = build(HeadConfig(**norms, negatives=None))
    y, label = batch(256)
    exact = gradients(plain_loss(head, y, label), head, y)
    head.float()
    y32 = y.detach().float().requires_grad_()
    loss = gradients(head.loss(y32, label, generator=torch.Generator()), head, y32)
    plain = gradients(plain_loss(head, y32, label), head, y32)
    for got, want, best in zip(loss, plain, exact, strict=True):
        error, budget = (got - best).norm(), (want - best).norm()
        assert error <= 2 * budget + 1e-6 * best.norm()


def test_heads_of_unit_norm_have_unit_rows_and_features_and_one_scale() -> None:
    head = build(HeadConfig(unit_features=True, unit_rows=True))
    y, _ = batch()
    h = head.features(y)
    np.testing.assert_allclose(h.detach().norm(dim=1), 1)
    np.testing.assert_allclose(head.rows().detach().norm(dim=1), 1)
    cosines = F.cosine_similarity(y[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(head.logits(h), head.log_scale.exp() * cosines)
    assert float(head.scale.detach()) == pytest.approx(math.exp(float(head.log_scale.detach())))
    assert head.scale.requires_grad


@every_case
def test_a_temperature_is_learned_only_where_nothing_else_absorbs_it(
    norms: dict[str, bool],
) -> None:
    head = build(HeadConfig(**norms))
    y, _ = batch()
    both = all(norms.values())
    assert hasattr(head, "log_scale") == both
    assert float(head.scale.detach()) == pytest.approx(10.0 if both else 1.0)
    for unit, vectors in zip(norms.values(), (head.features(y), head.rows()), strict=True):
        lengths = vectors.detach().norm(dim=1)
        assert bool((lengths - 1).abs().max() < 1e-12) == unit
    penalty = float(head.length_penalty(y).detach())
    assert (penalty > 0) == norms["unit_features"]


def test_plain_heads_leave_rows_and_features_alone() -> None:
    head = build()
    y, _ = batch()
    assert torch.equal(head.features(y), y)
    assert torch.equal(head.rows(), head.weight)
    assert float(head.scale) == 1
    torch.testing.assert_close(head.logits(y), y @ head.weight.T)
    assert [name for name, _ in head.named_parameters()] == ["weight"]


def test_rows_come_from_the_generator_alone() -> None:
    def rows(seed: int) -> Tensor:
        return SoftmaxHead(FULL, 50, 4, generator=torch.Generator().manual_seed(seed)).weight

    assert torch.equal(rows(0), rows(0))
    assert not torch.equal(rows(0), rows(1))
    assert rows(0).abs().max() <= 0.5


def test_few_labels_get_the_full_softmax_though_sampling_is_on() -> None:
    """When the group and the negatives could hold all labels, none is left out."""
    y, label = batch()
    sampled = build(HeadConfig(group=8, negatives=4))
    loss = sampled.loss(y, label, generator=torch.Generator())
    torch.testing.assert_close(loss, plain_loss(sampled, y, label))


@pytest.mark.parametrize("prior", [None, zipf(12)], ids=["uniform", "zipf"])
@every_case
def test_sampled_loss_is_that_of_each_groups_distinct_labels(
    norms: dict[str, bool], prior: Tensor | None
) -> None:
    group, negatives = 4, 5
    config = HeadConfig(**norms, group=group, negatives=negatives)
    head = build(config, prior=prior)
    y, label = batch(8)
    label[:3] = label[0]  # repetitions within a group
    drawn = torch.randint(12, (2, negatives), generator=torch.Generator().manual_seed(3))
    scale = float(head.scale.detach())
    losses: list[float] = []

    def logit(n: int, i: int) -> float:
        h, w = y[n].detach(), head.weight[i].detach()
        length = h.norm() if norms["unit_features"] else 1.0
        length = length * (w.norm() if norms["unit_rows"] else 1.0)
        return scale * float(h @ w / length)

    for g in range(2):
        members = range(g * group, (g + 1) * group)
        candidates = {int(label[n]) for n in members} | {int(i) for i in drawn[g]}
        for n in members:
            scores = {i: logit(n, i) - log_inclusion(i, prior) for i in candidates}
            total = math.log(sum(math.exp(s) for s in scores.values()))
            losses.append(total - scores[int(label[n])])
    got = head.loss(y, label, generator=torch.Generator().manual_seed(3))
    assert float(got.detach()) == pytest.approx(sum(losses) / len(losses), rel=1e-6)


def log_inclusion(i: int, prior: Tensor | None) -> float:
    """Log-probability that 3 draws from the prior and 5 uniform ones of 12 hold label i."""
    if prior is None:
        return 0.0
    return math.log(1 - (1 - float(prior[i])) ** 3 * (1 - 1 / 12) ** 5)


def gradient_at_the_posterior(*, corrected: bool) -> Tensor:
    """Mean gradient, over 256,000 samples, of free logits that are the log-prior.

    z carries no information here, so the log-prior is the true log-posterior.
    """
    n, labels = 256_000, 60
    prior = zipf(labels)
    config = HeadConfig(group=8, negatives=12)
    head = build(config, labels=labels, dim=1, prior=prior if corrected else None)
    with torch.no_grad():
        head.weight.copy_(prior.log()[:, None])
    generator = torch.Generator().manual_seed(0)
    label = torch.multinomial(prior, n, replacement=True, generator=generator)
    head.loss(torch.ones(n, 1, dtype=torch.float64), label, generator=generator).backward()
    assert head.weight.grad is not None
    return head.weight.grad[:, 0]


def test_correction_makes_the_true_posterior_stationary() -> None:
    """Up to sampling noise and the correlations of labels within one set, 1 to 2% together."""
    right, wrong = (gradient_at_the_posterior(corrected=c) for c in (True, False))
    assert right.norm() < 0.03 * wrong.norm()


def test_the_optimum_of_the_sampled_softmax_is_that_of_the_full_one() -> None:
    """Free logits on three kinds of z are trained to the log-posterior."""
    labels, kinds, steps = 8, 3, 150
    generator = torch.Generator().manual_seed(0)
    of_label = torch.randn(labels, kinds, generator=generator, dtype=torch.float64).softmax(1)
    posterior = of_label / of_label.sum(0)  # labels are uniform
    head = build(HeadConfig(group=4, negatives=2), labels=labels, dim=kinds)
    optimizer = torch.optim.Adam(head.parameters())
    for step in range(steps):
        label = torch.randint(labels, (4096,), generator=generator)
        kind = torch.multinomial(of_label[label], 1, generator=generator)[:, 0]
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
        optimizer.zero_grad()
        head.loss(F.one_hot(kind, kinds).double(), label, generator=generator).backward()
        optimizer.step()
    np.testing.assert_allclose(head.weight.detach().softmax(0), posterior, rtol=0.05)


def test_batches_must_divide_into_groups() -> None:
    head = build(HeadConfig(group=4, negatives=2))
    y, label = batch(10)
    with pytest.raises(InputError, match=r"batch of 10 .* groups of 4.*multiple"):
        head.loss(y, label, generator=torch.Generator())


def test_a_batch_smaller_than_a_group_is_one_group() -> None:
    y, label = batch(4)
    losses = [
        build(HeadConfig(group=group, negatives=3)).loss(y, label, generator=torch.Generator())
        for group in (4, 8)
    ]
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize(("field", "value"), [("group", 0), ("negatives", 0), ("negatives", -1)])
def test_counts_that_cannot_be_are_named(field: str, value: int) -> None:
    count: dict[str, Any] = {field: value}
    with pytest.raises(InputError, match=f"head {field} must be at least 1.*got {value}"):
        HeadConfig(**count)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("config", [FULL, HeadConfig(group=4, negatives=2)])
def test_the_head_works_where_its_batch_is(config: HeadConfig) -> None:
    head, (y, label) = build(config, prior=zipf(12)).cuda(), batch(8)
    loss = head.loss(y.cuda(), label.cuda(), generator=torch.Generator("cuda"))
    loss.backward()
    assert head.weight.grad is not None
    assert loss.isfinite()


def test_a_batch_below_the_group_is_refused_where_labels_are_unequal() -> None:
    config = HeadConfig(negatives=4, group=16)
    y, label = batch(8, labels=60)
    with pytest.raises(InputError, match=r"batch of 8 is smaller than the head's group \(16\)"):
        build(config, labels=60, prior=zipf(60)).loss(
            y, label, generator=torch.Generator().manual_seed(2)
        )
    build(config, labels=60).loss(y, label, generator=torch.Generator().manual_seed(2))
