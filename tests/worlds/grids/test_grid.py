"""The grid of factors: rows and levels are the same thing, and values are looked up exactly."""

import math

import numpy as np
import pytest
import torch

from identikit.core.errors import InputError
from identikit.core.factors import Kind
from identikit.worlds.grids.grid import Grid, GridFactor, levelled

TURN = torch.linspace(0, 2 * math.pi, 7, dtype=torch.float64)[:-1]
GRID = Grid(
    (
        levelled("shape", ("square", "ellipse", "heart")),
        GridFactor(name="turn", kind=Kind.CIRCULAR, values=TURN, period=2 * math.pi),
        levelled("light", 2, kind=Kind.BINARY),
        levelled("height", 4, kind=Kind.ORDINAL),
        GridFactor(name="x", kind=Kind.CONTINUOUS, values=torch.linspace(-1, 1, 5).double()),
    )
)


def test_rows_are_unravelled_as_numpy_does_it() -> None:
    rows = torch.randperm(GRID.size, generator=torch.Generator().manual_seed(0))
    expected = np.stack(np.unravel_index(rows.numpy(), (3, 6, 2, 4, 5)), axis=1)
    assert GRID.sizes == (3, 6, 2, 4, 5)
    assert GRID.size == 720
    np.testing.assert_array_equal(GRID.indices(rows).numpy(), expected)
    assert torch.equal(GRID.rows(GRID.indices(rows)), rows)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64])
def test_any_type_of_integer_and_no_rows_will_do(dtype: torch.dtype) -> None:
    rows = torch.tensor([0, 7, 200], dtype=dtype)
    indices = GRID.indices(rows)
    assert indices.dtype == torch.int64
    assert GRID.rows(indices.to(dtype)).tolist() == [0, 7, 200]
    assert GRID.indices(rows[:0]).shape == (0, 5)


def test_factors_come_in_the_kind_that_a_linear_probe_needs() -> None:
    factors = GRID.factors(torch.arange(GRID.size))
    indices = GRID.indices(torch.arange(GRID.size))
    assert [f.kind for f in factors.values()] == [axis.kind for axis in GRID.axes]
    assert factors["turn"].period == 2 * math.pi
    assert torch.equal(factors["turn"].values, TURN[indices[:, 1]])
    assert torch.equal(factors["x"].values, torch.linspace(-1, 1, 5).double()[indices[:, 4]])
    assert factors["shape"].levels == ("square", "ellipse", "heart")
    for j, name in ((0, "shape"), (2, "light"), (3, "height")):
        assert torch.equal(factors[name].values, indices[:, j].double())


def test_no_level_is_lost_between_values_and_indices() -> None:
    # dividing by the second level and cutting off decimals loses levels: 183 cars became 138
    sizes = (10, 18, 183)
    grid = Grid(tuple(levelled(f"f{size}", size) for size in sizes))
    factors = grid.factors(torch.arange(grid.size))
    for size in sizes:
        assert factors[f"f{size}"].values.unique().tolist() == list(range(size))


def test_unknown_factors_are_named_with_the_nearest() -> None:
    assert GRID["turn"].size == 6
    with pytest.raises(InputError, match="Did you mean 'height'"):
        GRID["heigth"]


def test_rows_and_levels_outside_of_the_grid_are_refused() -> None:
    for rows in ([-1, 3], [0, 720]):
        with pytest.raises(InputError, match="a row must be from 0 to 719"):
            GRID.indices(torch.tensor(rows))
    with pytest.raises(InputError, match="level of 'light' must be from 0 to 1; got 0 to 2"):
        GRID.rows(torch.tensor([[0, 0, 0, 0, 0], [0, 0, 2, 0, 0]]))
    with pytest.raises(InputError, match="one column for each of shape, turn"):
        GRID.rows(torch.zeros(2, 4, dtype=torch.int64))
    with pytest.raises(InputError, match="'shape' is constant"):
        GRID.factors(torch.arange(240))


def test_factors_that_cannot_be_are_refused() -> None:
    ones = torch.ones(3, dtype=torch.float64)
    with pytest.raises(InputError, match="two or more different levels"):
        GridFactor(name="x", kind=Kind.CONTINUOUS, values=ones)
    with pytest.raises(InputError, match="two or more different levels"):
        levelled("x", 1)
    with pytest.raises(InputError, match="3 levels and 2 names"):
        GridFactor(name="x", kind=Kind.CATEGORICAL, values=ones.cumsum(0), levels=("a", "b"))
    with pytest.raises(InputError, match="a circular factor needs a period"):
        GridFactor(name="x", kind=Kind.CIRCULAR, values=ones.cumsum(0))
    with pytest.raises(InputError, match="different names"):
        Grid((levelled("x", 2), levelled("x", 3)))
