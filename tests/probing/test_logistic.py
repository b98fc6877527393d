"""Batched logistic regression against scikit-learn, one problem at a time."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from identikit.probing import logistic
from identikit.probing.logistic import LogisticFits, Tasks, fit_logistic, search

N, P = 300, 8


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labels(x: Tensor, classes: int, *, seed: int, noise: float = 1.0) -> Tensor:
    logits = 2 * x @ normal(x.shape[1], classes, seed=seed)
    return (logits + noise * normal(len(x), classes, seed=seed + 1)).argmax(dim=1)


def reference(x: Tensor, y: Tensor, weight: Tensor, penalty: float) -> tuple[float, np.ndarray]:
    """Optimal objective and probabilities of scikit-learn on the rows with weight."""
    kept = weight > 0
    model = LogisticRegression(C=1 / (weight.sum().item() * penalty), tol=1e-10, max_iter=10000)
    model.fit(x[kept].numpy(), y[kept].numpy(), sample_weight=weight[kept].numpy())
    logits = torch.as_tensor(model.decision_function(x[kept].numpy()))
    logits = logits if logits.ndim == 2 else torch.stack([torch.zeros_like(logits), logits], 1)
    column = torch.as_tensor(np.searchsorted(model.classes_, y[kept].numpy()))
    each = torch.nn.functional.cross_entropy(logits, column, reduction="none")
    loss = np.average(each.numpy(), weights=weight[kept].numpy())
    return loss + penalty / 2 * (model.coef_**2).sum(), model.predict_proba(x.numpy())


def solve(x: Tensor, tasks: Tasks, task: list[int], penalty: list[float]) -> LogisticFits:
    q = torch.tensor(penalty, dtype=torch.float64)[:, None].expand(-1, x.shape[1])
    return fit_logistic(x, tasks, task=torch.tensor(task), penalty=q)


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("penalty", [1.0, 1e-2, 1e-4, 1e-6])
def test_the_optimum_is_scikit_learns(classes: int, penalty: float) -> None:
    x = normal(N, P) * torch.logspace(0, -2, P) + 0.3
    y = labels(x, classes, seed=3)
    tasks = Tasks(label=y[None], weight=torch.ones(1, N).double(), classes=torch.tensor([classes]))
    found = solve(x, tasks, [0], [penalty])
    objective, share = reference(x, y, torch.ones(N), penalty)
    assert found.converged.all()
    assert found.objective.item() == pytest.approx(objective, rel=3e-5)
    np.testing.assert_allclose(found.logits(x)[0].softmax(dim=1), share, atol=2e-2)


def test_factors_repetitions_and_penalties_at_once_are_those_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tasks of 2 and of 4 classes, on rows of their own, some weighted, in several blocks."""
    monkeypatch.setattr(search, "BUDGET", 5 * N)
    x = normal(N, P)
    generator = torch.Generator().manual_seed(1)
    label = torch.stack([labels(x, c, seed=s) for s, c in enumerate((2, 4, 2, 4))])
    weight = (torch.rand(4, N, generator=generator) < 0.6).double()
    weight[2] *= 1 + torch.arange(N) % 3
    tasks = Tasks(label=label, weight=weight, classes=torch.tensor([2, 4, 2, 4]))
    task = [0, 1, 2, 3, 0, 1, 2, 3]
    penalty = [1e-1] * 4 + [1e-3] * 4
    found = solve(x, tasks, task, penalty)
    for j, (t, q) in enumerate(zip(task, penalty, strict=True)):
        objective, share = reference(x, label[t], weight[t], q)
        assert found.objective[j].item() == pytest.approx(objective, rel=3e-5)
        own = found.logits(x)[j].softmax(dim=1)[:, : share.shape[1]]
        np.testing.assert_allclose(own, share, atol=2e-2)


def test_float32_is_as_good_as_its_digits() -> None:
    x, q = normal(N, P), 1e-3
    y = labels(x, 3, seed=3)
    tasks = Tasks(label=y[None], weight=torch.ones(1, N), classes=torch.tensor([3]))
    found = solve(x.float(), tasks, [0], [q])
    assert found.objective.dtype == torch.float32
    assert found.objective.item() == pytest.approx(reference(x, y, torch.ones(N), q)[0], rel=1e-4)


def test_a_class_that_a_task_lacks_is_never_named() -> None:
    x = normal(N, P)
    y = labels(x, 3, seed=3)
    weight = (y != 1).double()
    tasks = Tasks(label=y[None], weight=weight[None], classes=torch.tensor([3]))
    found = solve(x, tasks, [0], [1e-2])
    assert found.converged.all()
    assert (found.logits(x)[0, :, 1] == -torch.inf).all()
    two = (y[weight > 0] == 2).long()
    objective = reference(x[weight > 0], two, torch.ones(len(two)), 5e-3)[0]
    # two columns of half the size differ as one does: half its penalty
    assert found.objective.item() == pytest.approx(objective, rel=3e-5)


def test_separable_classes_end_and_a_single_class_costs_nothing() -> None:
    x = normal(N, 2)
    label = torch.stack([(x[:, 0] > 0).long(), torch.ones(N, dtype=torch.long)])
    tasks = Tasks(label=label, weight=torch.ones(2, N).double(), classes=torch.tensor([2, 2]))
    found = solve(x, tasks, [0, 1], [1e-6, 1e-2])
    assert found.converged.all()
    assert found.objective[0].item() == pytest.approx(
        reference(x, label[0], torch.ones(N), 1e-6)[0], rel=1e-4
    )
    assert found.objective[1].item() < 1e-5


def test_penalties_of_each_coordinate_are_a_change_of_units() -> None:
    x, y = normal(N, P), labels(normal(N, P), 2, seed=3)
    units = torch.logspace(-2, 2, P, dtype=torch.float64)
    tasks = Tasks(label=y[None], weight=torch.ones(1, N).double(), classes=torch.tensor([2]))
    plain = fit_logistic(x, tasks, task=torch.zeros(1).long(), penalty=torch.full((1, P), 1e-2))
    moved = fit_logistic(
        x * units, tasks, task=torch.zeros(1).long(), penalty=1e-2 * units[None].square()
    )
    torch.testing.assert_close(moved.logits(x * units), plain.logits(x), rtol=0, atol=2e-3)


def test_losses_are_of_the_rows_with_weight() -> None:
    logits = torch.tensor([[[0.0, 1.0], [2.0, 0.0], [-torch.inf, 0.0]]])
    label = torch.tensor([[1, 1, 0]])
    weight = torch.tensor([[1.0, 3.0, 0.0]])
    wanted = (np.log1p(np.exp(-1)) + 3 * np.log1p(np.exp(2))) / 4
    assert logistic.losses(logits, label, weight).item() == pytest.approx(wanted)
    assert logistic.losses(logits, label, 0 * weight).item() == 0
