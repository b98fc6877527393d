"""Penalties chosen along the path against scikit-learn's losses on the whole grid."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import Tensor

from identikit.recovery import logistic
from identikit.recovery.logistic import Tasks, path

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
    grid = torch.tensor(GRID, dtype=torch.float64)[None, :, None].expand(1, -1, P)
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
    found, start = logistic.chosen(x, tasks, judged, folds=FOLDS, grid=grid)
    losses = reference(x, tasks, judged)
    assert found.tolist() == losses.argmin(axis=1).tolist()
    assert len(set(found.tolist())) > 1
    again = logistic.fit(
        x,
        Tasks(
            label=tasks.label[::FOLDS],
            weight=torch.ones(3, N).double(),
            classes=tasks.classes[::FOLDS],
        ),
        task=torch.arange(3),
        penalty=grid[0, found],
    )
    nearer = (start.weight - again.weight).norm(dim=(1, 2)) / again.weight.norm(dim=(1, 2))
    assert (nearer < 0.5).all()


def test_every_step_of_a_walk_is_fitted_though_it_starts_where_the_last_one_ended(
    problem: tuple[Tensor, Tasks, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, tasks, judged, grid = problem
    monkeypatch.setattr(path, "RISEN", 1e9)
    walks = torch.cartesian_prod(torch.arange(3), torch.arange(1))
    loss, *_ = path._walked(
        x,
        tasks,
        judged,
        walks=walks,
        grid=grid,
        folds=FOLDS,
        correlations=logistic.Correlations.of(x),
    )
    np.testing.assert_allclose(loss * FOLDS / N, reference(x, tasks, judged), rtol=0.05)


def test_kinds_are_walked_each_on_its_own_and_blocks_change_nothing(
    problem: tuple[Tensor, Tasks, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, tasks, judged, grid = problem
    whole, _ = logistic.chosen(x, tasks, judged, folds=FOLDS, grid=grid)
    worse = torch.full_like(grid, 1e3)
    both, start = logistic.chosen(x, tasks, judged, folds=FOLDS, grid=torch.cat([worse, grid]))
    assert (both - len(GRID)).tolist() == whole.tolist()
    monkeypatch.setattr(path, "BUDGET", 1)
    blocks, other = logistic.chosen(x, tasks, judged, folds=FOLDS, grid=torch.cat([worse, grid]))
    assert blocks.tolist() == both.tolist()
    torch.testing.assert_close(other.weight, start.weight, rtol=0.05, atol=0.02)


def test_a_walk_ends_where_the_loss_has_risen(
    problem: tuple[Tensor, Tasks, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, tasks, judged, grid = problem
    fitted: list[float] = []
    fit = path.fit

    def recorded(*args: object, **kwargs: object) -> object:
        fitted.extend(kwargs["penalty"][:, 0].tolist())  # type: ignore[index]
        return fit(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(path, "fit", recorded)
    logistic.chosen(x, tasks, judged, folds=FOLDS, grid=grid)
    often = [fitted.count(pytest.approx(penalty)) for penalty in GRID]
    assert often[:3] == [9, 9, 9]
    assert 0 < often[4] < 9
    assert often == sorted(often, reverse=True)
