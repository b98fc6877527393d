"""The penalties chosen against scikit-learn's losses on the whole grid."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import Tensor

from identikit.probing import logistic
from identikit.probing.logistic import Tasks, tuning

N, P, FOLDS = 240, 12, 3
GRID = (10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


@pytest.fixture
def problem() -> tuple[Tensor, Tasks, Tensor, Tensor]:
    """Two factors with three and one with two levels, of little to much signal, in three folds."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N, P, generator=generator, dtype=torch.float64)
    strength, classes = (0.1, 1.0, 8.0), (3, 2, 3)
    noise = torch.randn(3, N, 3, generator=generator, dtype=torch.float64)
    label = torch.stack(
        [(s * x[:, :c] + noise[j, :, :c]).argmax(dim=1)
         for j, (s, c) in enumerate(zip(strength, classes, strict=True))]
    )  # fmt: skip
    judged = (torch.arange(N) % FOLDS == torch.arange(FOLDS)[:, None]).double().repeat(3, 1)
    tasks = Tasks(
        label=label.repeat_interleave(FOLDS, 0),
        weight=1 - judged,
        classes=torch.tensor(classes).repeat_interleave(FOLDS),
    )
    grid = torch.tensor(GRID, dtype=torch.float64)[:, None].expand(-1, P)
    return x, tasks, judged, grid


def reference(x: Tensor, tasks: Tasks, judged: Tensor) -> np.ndarray:
    """Held-out loss of each factor and penalty by scikit-learn."""
    losses = np.zeros((3, len(GRID)))
    for t in range(len(tasks)):
        fitted, held = tasks.weight[t] > 0, judged[t] > 0
        y = tasks.label[t].numpy()
        for i, penalty in enumerate(GRID):
            model = LogisticRegression(C=1 / (penalty * int(fitted.sum())), max_iter=1000, tol=1e-8)
            model.fit(x[fitted].numpy(), y[fitted])
            losses[t // FOLDS, i] += log_loss(y[held], model.predict_proba(x[held].numpy()))
    return losses


def test_the_penalty_is_the_one_with_the_least_loss_of_scikit_learns(
    problem: tuple[Tensor, Tasks, Tensor, Tensor],
) -> None:
    x, tasks, judged, grid = problem
    found, _, start = logistic.chosen(x, tasks, judged, folds=FOLDS, grid=grid)
    losses = reference(x, tasks, judged)
    assert found.tolist() == losses.argmin(axis=1).tolist()
    assert len(set(found.tolist())) > 1
    again = logistic.fit_logistic(
        x,
        Tasks(
            label=tasks.label[::FOLDS],
            weight=torch.ones(3, N).double(),
            classes=tasks.classes[::FOLDS],
        ),
        task=torch.arange(3),
        penalty=grid[found],
    )
    nearer = (start.weight - again.weight).norm(dim=(1, 2)) / again.weight.norm(dim=(1, 2))
    assert (nearer < 0.5).all()


def test_blocks_change_nothing(
    problem: tuple[Tensor, Tasks, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, tasks, judged, grid = problem
    whole, _, start = logistic.chosen(x, tasks, judged, folds=FOLDS, grid=grid)
    monkeypatch.setattr(tuning, "BUDGET", 1)
    blocks, _, other = logistic.chosen(x, tasks, judged, folds=FOLDS, grid=grid)
    assert blocks.tolist() == whole.tolist()
    torch.testing.assert_close(other.weight, start.weight, rtol=0.05, atol=0.02)


def test_a_signal_of_little_variance_is_found_behind_noise_of_much() -> None:
    """The loss rises by a tenth before it falls to a sixth: no search may end on its way."""
    generator = torch.Generator().manual_seed(0)
    n, noise = 600, 100
    label = (torch.arange(n) < n // 2).long()
    x = torch.randn(n, noise + 40, generator=generator)
    x[:, :noise] *= 3
    x[:, noise:] *= 0.1
    x[:, noise] += 0.3 * (2 * label - 1)
    judged = (
        torch.randint(FOLDS, (n,), generator=generator) == torch.arange(FOLDS)[:, None]
    ).float()
    tasks = Tasks(label=label.expand(FOLDS, -1), weight=1 - judged, classes=torch.full((FOLDS,), 2))
    grid = torch.logspace(2, -4, 7)[:, None].expand(-1, x.shape[1])
    best, _, _ = logistic.chosen(x, tasks, judged, folds=FOLDS, grid=grid)
    assert best.tolist() == [6]


def test_a_search_that_starts_warm_ends_where_a_cold_one_does(
    problem: tuple[Tensor, Tasks, Tensor, Tensor],
) -> None:
    """A start that suits a strong penalty promises little by the Hessian's bound."""
    x, tasks, _, grid = problem
    task, rough = torch.arange(len(tasks)), 3e-4
    strong = logistic.fit_logistic(x, tasks, task=task, penalty=grid[5].repeat(len(tasks), 1))
    weak: dict[str, Any] = {"task": task, "penalty": grid[6].repeat(len(tasks), 1)}
    start = logistic.Start(strong.weight, strong.bias)
    found = logistic.fit_logistic(x, tasks, **weak, start=start, tolerance=rough)
    exact = logistic.fit_logistic(x, tasks, **weak, tolerance=1e-9)
    assert (found.objective / exact.objective).max() < 1.05
