"""Statistics that add up: exact under any split into blocks, parts and shifts."""

import numpy as np
import pytest
import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.probing import moments
from identikit.probing.moments import FoldMoments, Moments, PartMoments, parts_of
from identikit.statistics.split import Split


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gathered(h: Tensor, y: Tensor, part: Tensor | None = None, *, parts: int = 1) -> PartMoments:
    found = PartMoments.empty(parts=parts, d=h.shape[1], k=y.shape[1])
    found.add(h, y, part=part)
    return found


def require_those_of(found: Moments, h: Tensor, y: Tensor, *, rtol: float = 1e-12) -> None:
    """NumPy's covariance is the judge."""
    covariance = np.cov(torch.cat([h.double(), y], dim=1).numpy(), rowvar=False, ddof=0) * len(h)
    d, scale = h.shape[1], rtol * np.abs(covariance).max()
    np.testing.assert_allclose(found.hh, covariance[:d, :d], rtol=0, atol=scale)
    np.testing.assert_allclose(found.hy, covariance[:d, d:], rtol=0, atol=scale)
    np.testing.assert_allclose(found.yy, covariance.diagonal()[d:], rtol=0, atol=scale)
    np.testing.assert_allclose(found.mean_h, h.double().mean(0), rtol=1e-13)
    np.testing.assert_allclose(found.mean_y, y.mean(0), rtol=1e-13)
    assert found.n == len(h)


@pytest.mark.parametrize("block", [70, 1000, 1 << 23])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_blocks_change_nothing(
    block: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "BLOCK", block)
    h, y = (normal(101, 5) + 3).to(dtype), normal(101, 2, seed=1)
    found = gathered(h, y).pooled()
    require_those_of(found, h, y)
    assert found.eps == torch.finfo(dtype).eps


@pytest.mark.parametrize(("shift", "rtol"), [(0.0, 1e-12), (1e4, 1e-11), (1e8, 1e-7)])
def test_a_shift_costs_no_more_digits_than_numbers_of_its_size_have(
    shift: float, rtol: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "BLOCK", 70)
    h, y = normal(200, 3), normal(200, 1, seed=1)
    found = gathered(h + shift, y - shift).pooled()
    wanted = gathered((h + shift) - shift, (y - shift) + shift).pooled()
    torch.testing.assert_close(found.hh, wanted.hh, rtol=rtol, atol=200 * rtol)
    torch.testing.assert_close(found.hy, wanted.hy, rtol=rtol, atol=200 * rtol)


def test_parts_are_kept_apart_and_pooled_again() -> None:
    h, y, part = normal(90, 4), normal(90, 2, seed=1), torch.arange(90) % 4 - 1
    found = gathered(h, y, part, parts=3)
    require_those_of(found.pooled(torch.tensor([False, True, False])), h[part == 1], y[part == 1])
    some = (part == 0) | (part == 2)
    require_those_of(found.pooled(torch.tensor([True, False, True])), h[some], y[some])
    require_those_of(found.pooled(), h[part >= 0], y[part >= 0])


def test_statistics_of_two_sets_add_up_and_nothing_adds_nothing() -> None:
    h, y = normal(90, 4) * 3 + 1, normal(90, 2, seed=1)
    part = torch.arange(90) % 2
    whole = gathered(h[:20], y[:20], part[:20], parts=2) + gathered(
        h[20:], y[20:], part[20:], parts=2
    )
    require_those_of(whole.pooled(), h, y)
    empty = PartMoments.empty(parts=2, d=4, k=2)
    torch.testing.assert_close((empty + whole).packed, whole.packed)
    with pytest.raises(InputError, match="same parts and columns"):
        whole + PartMoments.empty(parts=3, d=4, k=2)


def test_a_constant_column_has_exactly_no_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "BLOCK", 100)
    h = torch.full((1000, 1), 0.1, dtype=torch.float64)
    found = gathered(h, normal(1000, 1)).pooled()
    assert found.hh.item() <= 1000 * found.noise().item() ** 2


@pytest.mark.parametrize("margin", [0, 2])
def test_folds_with_and_without_margins_are_those_rows(margin: int) -> None:
    """Parts are shared between folds even where training is not the rest of the test rows."""
    h, y = normal(60, 3), normal(60, 1, seed=1)
    rows = torch.arange(60)
    splits = [
        Split(
            train=rows[(rows < 15 * k - margin) | (rows >= 15 * (k + 1) + margin)],
            test=rows[15 * k : 15 * (k + 1)],
        )
        for k in range(3)
    ]
    found = FoldMoments.of(h, y, splits=splits)
    for (train, test), split in zip(found.pairs(range(3)), splits, strict=True):
        require_those_of(train, h[split.train], y[split.train])
        require_those_of(test, h[split.test], y[split.test])


def test_rows_of_no_split_are_in_no_part() -> None:
    rows = torch.arange(10)
    splits = [Split(train=rows[:4], test=rows[4:7]), Split(train=rows[2:7], test=rows[:2])]
    part, training, testing = parts_of(10, splits)
    assert part[7:].tolist() == [-1, -1, -1]
    for split, train, test in zip(splits, training, testing, strict=True):
        assert (
            torch.isin(part, train.nonzero()).nonzero().flatten().tolist() == split.train.tolist()
        )
        assert torch.isin(part, test.nonzero()).nonzero().flatten().tolist() == split.test.tolist()


@pytest.mark.parametrize(
    ("h", "y", "message"),
    [
        (normal(9, 4), normal(9, 2), "same rows and 3 and 2 columns"),
        (
            normal(9, 3).where(torch.arange(9)[:, None] != 4, torch.nan),
            normal(9, 2),
            "column 0 of h",
        ),
        (normal(9, 3), normal(9, 2) / torch.tensor([1.0, 0.0]), "target 1 has values"),
    ],
)
def test_unusable_rows_are_refused(h: Tensor, y: Tensor, message: str) -> None:
    found = PartMoments.empty(parts=1, d=3, k=2)
    with pytest.raises(InputError, match=message):
        found.add(h, y)
    assert found.pooled().n == 0
