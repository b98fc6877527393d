"""The penalties chosen against scikit-learn's losses on the whole grid."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import Tensor

from identikit.probing import logistic
from identikit.probing.logistic import Tasks, tuning

N, P, FOLDS = 240, 12, 3
ROUNDING = 1e-5
"""Share of an objective that float32 may add to it."""
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


def test_losses_are_scikit_learns(problem: tuple[Tensor, Tasks, Tensor, Tensor]) -> None:
    x, tasks, judged, grid = problem
    found = logistic.held_out_losses(x, tasks, judged, grid=grid).view(3, FOLDS, -1).sum(dim=1)
    rows = N // FOLDS  # of which the reference takes means
    np.testing.assert_allclose(found / rows, reference(x, tasks, judged), rtol=0.01)
    assert len(set(found.argmin(dim=1).tolist())) > 1


def test_blocks_and_designs_change_nothing(
    problem: tuple[Tensor, Tasks, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Designs are features of their own for each fold: here the same, along other axes."""
    x, tasks, judged, grid = problem
    whole = logistic.held_out_losses(x, tasks, judged, grid=grid)
    order = torch.arange(9).view(3, FOLDS).T.flatten()  # a fold after another
    generator = torch.Generator().manual_seed(1)
    axes = torch.linalg.qr(torch.randn(FOLDS, P, P, generator=generator, dtype=x.dtype)).Q
    turned = logistic.held_out_losses(
        x @ axes,
        Tasks(label=tasks.label[order], weight=tasks.weight[order], classes=tasks.classes[order]),
        judged[order],
        grid=grid,
        correlations=logistic.Correlations.none(torch.ones(P, dtype=x.dtype)),
    )
    torch.testing.assert_close(turned, whole[order], rtol=1e-3, atol=0)
    monkeypatch.setattr(tuning, "BUDGET", 1)
    blocks = logistic.held_out_losses(x, tasks, judged, grid=grid)
    torch.testing.assert_close(blocks, whole, rtol=1e-3, atol=0)


def test_a_signal_of_little_variance_is_found_behind_noise_of_much() -> None:
    """The loss rises by a tenth before it falls to a sixth: no penalty may be left out."""
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
    assert int(logistic.held_out_losses(x, tasks, judged, grid=grid).sum(dim=0).argmin()) == 6


@dataclass(frozen=True, kw_only=True)
class Case:
    """Rows in groups that are held out whole, in float32 as probes have them."""

    x: Tensor
    label: Tensor
    group: Tensor

    @property
    def problem(self) -> tuple[Tensor, Tasks, Tensor]:
        judged = (self.group % FOLDS == torch.arange(FOLDS)[:, None]).float()
        count = torch.full((FOLDS,), int(self.label.max()) + 1)
        tasks = Tasks(label=self.label.expand(FOLDS, -1), weight=1 - judged, classes=count)
        return self.x, tasks, judged

    def exact(self, penalty: float) -> float:
        """Held-out loss of optima in float64."""
        total = 0.0
        for fold in range(FOLDS):
            held = self.group % FOLDS == fold
            x, y = self.x.double().numpy(), self.label.numpy()
            model = LogisticRegression(
                C=1 / (penalty * int((~held).sum())), solver="newton-cholesky", tol=1e-8
            ).fit(x[~held], y[~held])
            logits = model.decision_function(x[held])
            if logits.ndim == 1:
                logits = np.stack([np.zeros_like(logits), logits], axis=1)
            own = np.searchsorted(model.classes_, y[held])
            total -= log_softmax(logits, axis=1)[np.arange(len(own)), own].sum()
        return total


def _case(name: str) -> Case:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    if name == "words":  # what sentences' embeddings are like: each group another offset
        group, label = torch.arange(288) // 24, torch.arange(288) % 24 // 4
        own = 3 * normal(6, 30)[label] + 2 * normal(12, 30)[group]
        return Case(x=own + 0.3 * normal(288, 30), label=label, group=group)
    if name == "label of the group":
        group = torch.arange(144) // 12
        return Case(
            x=normal(12, 30)[group] + 0.3 * normal(144, 30), label=group // 3 % 2, group=group
        )
    if name == "more columns than rows":
        x = normal(90, 200) * torch.linspace(1, 0.05, 200)
        return Case(x=x, label=(x[:, :3].sum(dim=1) > 0).long(), group=torch.arange(90))
    x = normal(600, 10)
    x[:, 4] = 3.0  # a constant
    if name == "rare class":
        label = torch.bucketize(x[:, 0] + 0.3 * normal(600), torch.tensor([-1.9, 1.0]))
        return Case(x=x, label=label, group=torch.arange(600))
    assert name == "separable"
    return Case(x=x, label=(x[:, 0] > 0).long(), group=torch.arange(600))


CASES = ("words", "label of the group", "more columns than rows", "rare class", "separable")
STRENGTHS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


@pytest.mark.parametrize("name", CASES)
def test_held_out_losses_are_those_of_exact_optima(name: str) -> None:
    """Also where they are near 0, at penalties as weak as they come."""
    case = _case(name)
    x, tasks, judged = case.problem
    wanted = [case.exact(penalty) for penalty in STRENGTHS]
    grid = torch.tensor(STRENGTHS)[:, None].expand(-1, x.shape[1])
    found = logistic.held_out_losses(x, tasks, judged, grid=grid).sum(dim=0)
    np.testing.assert_allclose(found, wanted, rtol=0.01)
    assert int(found.argmin()) == int(np.argmin(wanted))


@pytest.mark.parametrize("name", CASES)
def test_objectives_are_as_near_their_least_values_as_promised(name: str) -> None:
    """Wherever a search starts: at 0, at the solution of a stronger penalty, or beyond."""
    x, tasks, _ = _case(name).problem
    task = torch.arange(FOLDS)
    weak: dict[str, Any] = {"task": task, "penalty": torch.full((FOLDS, x.shape[1]), 1e-5)}
    double = Tasks(label=tasks.label, weight=tasks.weight.double(), classes=tasks.classes)
    exact = logistic.fit_logistic(x.double(), double, **weak, tolerance=1e-10).objective
    strong = logistic.fit_logistic(x, tasks, task=task, penalty=1e3 * weak["penalty"])
    for scale in (0.0, 1.0, 30.0):
        start = logistic.Start(scale * strong.weight, scale * strong.bias)
        for tolerance in (1e-2, logistic.TOLERANCE):
            found = logistic.fit_logistic(x, tasks, **weak, start=start, tolerance=tolerance)
            assert found.converged.all()
            assert (found.objective.double() / exact - 1).max() < tolerance + ROUNDING
