"""Analogies on codes whose answer is known: additive 1, random 0, opposite -1."""

import pytest
import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.probing.analogies import analogy_score, draw_analogies
from identikit.statistics.bootstrap import Bootstrap

SIZES = (4, 5, 6)
N = 400


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bootstrap(n: int = N) -> Bootstrap:
    return Bootstrap(torch.arange(n), resamples=200, generator=generator(7))


def corners(factor: int) -> Tensor:
    return draw_analogies(SIZES, factor=factor, n=N, generator=generator(factor))


@pytest.mark.parametrize("factor", range(3))
def test_corners_differ_in_what_they_should(factor: int) -> None:
    a, b, c, d = corners(factor)
    others = [j for j in range(3) if j != factor]
    assert torch.equal(a[:, others], b[:, others])
    assert torch.equal(c[:, others], d[:, others])
    assert torch.equal(a[:, factor], d[:, factor])
    assert torch.equal(b[:, factor], c[:, factor])
    assert (a[:, factor] != b[:, factor]).all()
    assert (a[:, others] != d[:, others]).all()
    assert all((corner >= 0).all() and (corner < torch.tensor(SIZES)).all() for corner in (a, c))


@pytest.mark.parametrize("factor", range(3))
def test_a_linear_code_scores_one(factor: int) -> None:
    code = torch.randn(3, 10, generator=generator(), dtype=torch.float64)
    found = analogy_score(corners(factor).double() @ code + 5, bootstrap=bootstrap())
    assert found.value == pytest.approx(1)
    assert found.low == pytest.approx(1)


def test_a_curved_code_that_adds_up_scores_one_too() -> None:
    tables = [torch.randn(size, 8, generator=generator(j)) for j, size in enumerate(SIZES)]
    h = torch.stack([table[corners(1)[..., j]] for j, table in enumerate(tables)]).sum(0)
    assert analogy_score(h, bootstrap=bootstrap()).value == pytest.approx(1, abs=1e-6)


def test_a_step_that_another_factor_decides_scores_zero() -> None:
    """A third of random pairs would share the level that decides it."""
    steps = torch.linalg.qr(torch.randn(20, 3, generator=generator(), dtype=torch.float64)).Q.T
    at = draw_analogies((2, 3, 5), factor=0, n=N, generator=generator())
    h = at[..., :1] * steps[at[..., 1]]
    assert abs(analogy_score(h, bootstrap=bootstrap()).value) < 1e-9


def test_a_random_code_scores_zero() -> None:
    table = torch.randn(*SIZES, 20, generator=generator())
    h = table[tuple(corners(2).unbind(-1))]
    found = analogy_score(h, bootstrap=bootstrap())
    assert found.low < 0 < found.high
    assert abs(found.value) < 0.1


def test_opposite_steps_score_minus_one_and_none_scores_zero() -> None:
    step = torch.randn(N, 3, generator=generator())
    still = torch.zeros(N, 3)
    h = torch.stack([step, still, step, still])  # a - b = step, d - c = -step
    assert analogy_score(h, bootstrap=bootstrap()).value == pytest.approx(-1)
    assert analogy_score(torch.ones(4, N, 3), bootstrap=bootstrap()).value == 0


def test_the_score_is_the_stated_share() -> None:
    a, b, c, d = torch.randn(4, N, 6, generator=generator(), dtype=torch.float64)
    error = (a - b + c - d).square().sum() / ((a - b).square().sum() + (d - c).square().sum())
    found = analogy_score(torch.stack([a, b, c, d]), bootstrap=bootstrap())
    assert found.value == pytest.approx(1 - error.item())


def test_one_factor_or_one_level_has_no_analogies() -> None:
    for sizes in ((5,), (5, 1)):
        with pytest.raises(InputError, match="two factors or more"):
            draw_analogies(sizes, factor=0, n=3, generator=generator())
