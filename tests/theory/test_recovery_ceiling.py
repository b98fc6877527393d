import dataclasses
from typing import Any

import pytest
import torch
from tests.theory.conftest import make_world

from identikit.theory import optimum
from identikit.theory import recovery_ceiling as ceiling_module
from identikit.theory.cases import Case
from identikit.theory.optimum import Optimum, rank_optimum
from identikit.theory.recovery_ceiling import Ceiling, recovery_ceiling


def ceiling_of(
    generator: torch.Generator,
    *,
    samples: int = 2048,
    width: int | None = None,
    case: Case = Case.C4,
    **options: Any,
) -> Ceiling:
    world = make_world(**options)
    return recovery_ceiling(world, dim=width, case=case, samples=samples, generator=generator)


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search once where the spread is not in question."""
    monkeypatch.setattr(ceiling_module, "SEARCHES", 1)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, once: None) -> None:
    """Leave out random starts where the singular vectors are known to lead to the optimum."""
    monkeypatch.setattr(optimum, "RANDOM_STARTS", 0)


@pytest.mark.parametrize(
    ("options", "case"),
    [
        *(({}, case) for case in Case),
        ({"kappa": 50.0}, Case.C1),
        ({"kappa": 50.0}, Case.C3),
        ({"kappa": 10_000.0}, Case.C4),
        ({"classes": 10}, Case.C1),
        ({"classes": 10}, Case.C2),
        ({"dim": 10}, Case.C4),
        ({"labels": 1000}, Case.C4),
        ({"clusters": "laplace"}, Case.C1),
        ({"clusters": "laplace"}, Case.C3),
        ({"dim": 3, "classes": 4}, Case.C4),
    ],
    ids=str,
)
def test_von_mises_fisher_has_ceiling_one(
    options: dict[str, Any], case: Case, generator: torch.Generator
) -> None:
    got = ceiling_of(generator, case=case, **options)
    assert got.converged
    assert got.r2_latents == pytest.approx(1, abs=1e-3)
    assert got.r2_wide == pytest.approx(1, abs=1e-3)
    assert got.excess == pytest.approx(0, abs=1e-6)
    if case is not Case.C4:
        assert got.procrustes_r2 == pytest.approx(1, abs=1e-3)
    if got.r2_head is not None:
        assert got.r2_head == pytest.approx(1, abs=1e-3)


def test_an_exact_ceiling_has_no_spread(generator: torch.Generator) -> None:
    got = ceiling_of(generator, dim=3, classes=20, samples=1024)
    assert (got.spread, got.r2_lowest, got.r2_highest) == (0, got.r2_latents, got.r2_latents)
    assert ceiling_of(generator, dim=3, classes=20, width=5, samples=1024).rank == 3


def test_of_several_minima_the_best_is_the_ceiling_and_equals_give_a_range(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The three searches end at a poor place, near the best one, and at the best one."""
    world = make_world(dim=2, classes=6, conditional="laplace")
    best = rank_optimum(world, dim=2, samples=1024, generator=generator)
    noise = torch.randn(best.rows.shape, generator=generator).double()
    poor, near = (dataclasses.replace(best, rows=best.rows + by * noise) for by in (1.0, 0.01))

    def judged(first: Optimum, *others: Optimum) -> Ceiling:
        further = list(others)
        monkeypatch.setattr(ceiling_module, "SEARCHES", 1 + len(others))
        monkeypatch.setattr(ceiling_module, "rank_optimum", lambda *_, **__: further.pop())
        fresh = torch.Generator().manual_seed(1)
        return recovery_ceiling(world, dim=2, samples=2048, optimum=first, generator=fresh)

    alone = [judged(end) for end in (poor, near, best)]
    assert alone[0].excess > alone[2].excess + 0.01
    assert alone[1].excess == pytest.approx(alone[2].excess, abs=5e-4)
    got, r2 = judged(poor, near, best), [end.r2_latents for end in alone]
    assert got.r2_latents == min(alone, key=lambda end: end.excess).r2_latents
    assert (got.r2_lowest, got.r2_highest) == (min(r2[1:]), max(r2[1:]))
    assert got.r2_deviation == pytest.approx(torch.tensor(r2).std().item(), rel=1e-4)
    assert got.spread == got.r2_deviation


@pytest.mark.usefixtures("ignorant")
def test_the_search_finds_one_from_a_random_start(generator: torch.Generator) -> None:
    got = ceiling_of(generator, dim=2, classes=8, kappa=5.0, samples=512)
    assert got.r2_latents == pytest.approx(1, abs=1e-3)
    assert got.r2_head == pytest.approx(1, abs=1e-3)


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize(
    ("options", "r2", "excess"),
    [  # found with Adam on features and rows of a world drawn by other code
        ({"conditional": "normal", "scale": 0.5}, 0.9989, 0.0046),
        ({"conditional": "normal", "scale": 1.0}, 0.9998, 0.0009),
        ({"conditional": "laplace", "scale": 0.5}, 0.944, 0.065),
        ({"conditional": "laplace", "scale": 1.0}, 0.852, 0.018),
    ],
    ids=str,
)
def test_projected_worlds_have_the_known_ceilings(
    options: dict[str, Any], r2: float, excess: float, generator: torch.Generator
) -> None:
    got = ceiling_of(generator, **options)
    assert got.r2_latents == pytest.approx(r2, abs=0.0004 if r2 > 0.99 else 0.015)
    assert got.excess == pytest.approx(excess, rel=0.2)
    assert got.r2_latents < got.r2_wide + 1e-3
    assert got.r2_head is not None
    assert got.r2_head > 0.99


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "options",
    [{"label_exponent": 1.0}, {"conditional": "gaussian", "scale": 0.5}],
    ids=str,
)
def test_class_constants_take_one_dimension_more(
    options: dict[str, Any], generator: torch.Generator
) -> None:
    as_many = ceiling_of(generator, dim=3, classes=20, **options)
    one_more = ceiling_of(generator, dim=3, classes=20, width=4, **options)
    assert as_many.excess > 3e-4
    assert as_many.r2_latents < 0.999
    assert one_more.excess == pytest.approx(0, abs=1e-6)
    assert one_more.r2_latents == pytest.approx(1, abs=1e-3)


@pytest.mark.usefixtures("quick")
def test_unit_norm_promises_no_rotation_where_constants_differ(generator: torch.Generator) -> None:
    got = ceiling_of(generator, dim=3, classes=20, case=Case.C1, label_exponent=1.0)
    assert got.procrustes_r2 < got.r2_latents - 0.02


@pytest.mark.usefixtures("quick")
def test_swapped_labels_lower_the_ceiling(generator: torch.Generator) -> None:
    got = ceiling_of(generator, classes=30, samples=4096, swapped_share=0.1)
    assert got.r2_latents == pytest.approx(0.931, abs=0.015)
    assert got.excess == pytest.approx(0.119, abs=0.015)


def test_few_classes_see_few_directions(generator: torch.Generator) -> None:
    got = ceiling_of(generator, classes=3)
    world = make_world(classes=3)
    z = world.sample(20_000, generator=generator).z.double()
    v = world.class_vectors.double()
    seen = torch.linalg.svd(v - v.mean(dim=0)).Vh[:2]
    regressors = torch.cat([z @ seen.T, torch.ones(len(z), 1)], dim=1)
    left = z - regressors @ torch.linalg.lstsq(regressors, z).solution
    expected = 1 - left.square().mean(dim=0) / z.var(dim=0)
    assert got.r2_latents == pytest.approx(float(expected.mean()), abs=0.03)
    assert got.r2_head is None


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_too_narrow_an_encoder_loses_latents(generator: torch.Generator) -> None:
    got = ceiling_of(generator, dim=3, width=2, classes=10, samples=512)
    assert got.r2_latents < 0.8
    assert got.r2_wide == pytest.approx(1, abs=1e-3)
    assert got.excess > 0.05


def test_no_concentration_nothing_recovered(generator: torch.Generator) -> None:
    got = ceiling_of(generator, kappa=0.0)
    assert got.r2_latents == pytest.approx(0, abs=0.01)


def test_the_same_generator_gives_the_same_ceiling() -> None:
    first, second = (
        ceiling_of(torch.Generator().manual_seed(3), classes=10, conditional="normal", samples=512)
        for _ in range(2)
    )
    assert first == second
