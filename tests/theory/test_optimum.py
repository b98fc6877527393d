from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from tests.theory.conftest import make_world

from identikit.core.errors import InputError
from identikit.theory import optimum as module
from identikit.theory.cases import Case
from identikit.theory.optimum import draw, make_task, rank_optimum, solve_features


def random_problem(
    generator: torch.Generator, *, n: int = 20, k: int = 12, m: int = 3
) -> tuple[torch.Tensor, torch.Tensor]:
    rows = torch.randn(k, m, generator=generator, dtype=torch.float64)
    p = torch.softmax(2 * torch.randn(n, k, generator=generator, dtype=torch.float64), dim=1)
    return rows, p


@pytest.mark.parametrize("unit", [False, True])
def test_features_are_those_that_scipy_finds(unit: bool, generator: torch.Generator) -> None:
    rows, p = random_problem(generator)
    rows = 4 * torch.nn.functional.normalize(rows) if unit else rows
    count = torch.rand(len(rows), generator=generator, dtype=torch.float64)
    start = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    start = torch.nn.functional.normalize(start) if unit else start
    h = solve_features(rows, count, target=p @ rows, start=start, unit=unit)

    def loss(f: NDArray[np.float64], i: int) -> float:
        f = f / np.linalg.norm(f) if unit else f
        logits = rows.numpy() @ f
        return float(np.log(np.exp(logits + count.numpy()).sum()) - p[i].numpy() @ logits)

    for i in range(20):
        # on the sphere there may be several minima: h is in one of them
        tries = [h[i].numpy()] if unit else [h[i].numpy(), start[i].numpy()]
        best = min(minimize(loss, x, args=(i,), tol=1e-12).fun for x in tries)
        assert loss(h[i].numpy(), i) <= best + 1e-7


def test_features_match_the_mean_row(generator: torch.Generator) -> None:
    rows, p = random_problem(generator)
    zero = torch.zeros(20, 3, dtype=torch.float64)
    h = solve_features(rows, torch.zeros(12).double(), target=p @ rows, start=zero, unit=False)
    torch.testing.assert_close(torch.softmax(h @ rows.T, dim=1) @ rows, p @ rows)


def test_rows_of_the_optimum_cannot_be_improved(generator: torch.Generator) -> None:
    world = make_world(classes=12, conditional="laplace", scale=0.5, dim=3)
    best = rank_optimum(world, dim=2, samples=300, generator=generator)
    assert best.converged
    p = best.log_posterior.exp()

    def loss(rows: torch.Tensor, features: torch.Tensor) -> float:
        log_q = torch.log_softmax(features @ rows.T + best.task.log_count, dim=1)
        return float((p * (best.log_posterior - log_q)).sum(dim=1).mean())

    assert loss(best.rows, best.features) == pytest.approx(best.excess, abs=1e-9)
    for _ in range(10):
        noise = torch.randn(best.rows.shape, generator=generator, dtype=torch.float64)
        rows = best.rows + 0.05 * noise
        features = solve_features(
            rows, best.task.log_count, target=p @ rows, start=best.features, unit=False
        )
        assert loss(rows, features) > best.excess


def test_a_second_start_finds_the_same_loss(request: pytest.FixtureRequest) -> None:
    world = make_world(conditional="gaussian", covariance="per-class", dim=3, classes=12)
    options: dict[str, Any] = {"dim": 3, "samples": 500}
    first = rank_optimum(world, **options, generator=torch.Generator().manual_seed(3))
    request.getfixturevalue("ignorant")
    second = rank_optimum(world, **options, generator=torch.Generator().manual_seed(3))
    assert second.excess == pytest.approx(first.excess, abs=0.01)


def test_labels_of_one_class_and_prior_share_a_row(generator: torch.Generator) -> None:
    task = make_task(make_world(labels=250, classes=20), generator=generator)
    assert len(task.of_class) == 20
    assert task.log_count.exp().sum() == pytest.approx(250)


def test_unequal_labels_have_rows_of_their_own_up_to_a_bound(generator: torch.Generator) -> None:
    few = make_task(make_world(labels=60, classes=20, label_exponent=1.0), generator=generator)
    assert len(few.of_class) == 60
    world = make_world(labels=5000, classes=20, label_exponent=1.0)
    many = make_task(world, generator=generator)
    assert len(many.of_class) <= module.MAX_ROWS
    assert many.log_count.exp().sum() == pytest.approx(5000)
    shares = torch.zeros(20, dtype=torch.float64).index_add(0, many.of_class, many.log_share.exp())
    torch.testing.assert_close(shares, torch.ones(20, dtype=torch.float64))


def test_more_classes_than_fit_are_thinned(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CLASSES", 30)
    world = make_world(classes=100)
    task = make_task(world, generator=generator)
    z, log_p = draw(world, task, samples=500, generator=generator)
    assert log_p.shape == (500, 30)
    exact = torch.log_softmax(10 * z @ world.class_vectors[task.classes].double().T, dim=1)
    torch.testing.assert_close(log_p, exact, atol=1e-5, rtol=1e-5)


def test_where_logits_are_affine_in_z_nothing_is_searched(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "solve_features", None)  # no Newton step is needed
    world = make_world(classes=50, kappa=20.0)
    for case in Case:
        best = rank_optimum(world, dim=5, case=case, samples=500, generator=generator)
        assert best.excess == pytest.approx(0, abs=1e-10)
        assert best.gradient_norm < 1e-6
        _, log_p = draw(world, best.task, samples=200, generator=generator)
        torch.testing.assert_close(
            best.log_model(best.features_of(log_p)), log_p, atol=1e-5, rtol=0
        )


def test_many_dimensions_keep_classes_enough_to_see_them(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CLASSES", 10)
    task = make_task(make_world(dim=20, classes=60), generator=generator)
    assert len(task.classes) == 40


@pytest.mark.parametrize("case", [Case.C1, Case.C2, Case.C3])
def test_unit_norm_optimum_costs_more_than_the_free_one(case: Case) -> None:
    world = make_world(dim=3, classes=12, conditional="laplace", scale=0.5)
    unit, free = (
        rank_optimum(
            world, dim=3, case=one, samples=300, generator=torch.Generator().manual_seed(2)
        )
        for one in (case, Case.C4)
    )
    for held, vectors in ((case.unit_features, unit.features), (case.unit_rows, unit.rows)):
        lengths = vectors.norm(dim=1)
        assert bool((lengths / lengths[0] - 1).abs().max() < 1e-9) == held
    assert free.excess < unit.excess
    torch.testing.assert_close(free.z, unit.z)


def test_wrong_input_is_named(generator: torch.Generator) -> None:
    world = make_world(classes=10)
    with pytest.raises(InputError, match="dim must be"):
        rank_optimum(world, dim=0, samples=500, generator=generator)
    with pytest.raises(InputError, match="samples must be"):
        rank_optimum(world, dim=5, samples=10, generator=generator)
