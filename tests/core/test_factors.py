"""Factors and representations: what they hold and what they refuse."""

import math

import numpy as np
import pytest
import torch

from identikit.core.errors import InputError
from identikit.core.factors import Factor, Factors, Kind
from identikit.core.representation import Representation


def factor(name: str = "f", n: int = 5, **changes: object) -> Factor:
    fields: dict[str, object] = {"kind": Kind.CONTINUOUS, "values": torch.arange(n).double()}
    return Factor(name=name, **(fields | changes))  # type: ignore[arg-type]


def test_a_table_keeps_names_order_and_values() -> None:
    factors = Factors([factor("b"), factor("a", values=-torch.arange(5).double())])
    assert list(factors) == ["b", "a"]
    assert factors.n_samples == 5
    assert len(factors) == 2
    assert "a" in factors
    assert "c" not in factors
    assert factors.to_frame()["a"].tolist() == [0, -1, -2, -3, -4]


@pytest.mark.parametrize("z", [np.eye(3), torch.eye(3), [[1, 0, 0], [0, 1, 0], [0, 0, 1]]])
def test_latents_become_numbered_continuous_factors(z: object) -> None:
    factors = Factors.from_latents(z)  # type: ignore[arg-type]
    assert list(factors) == ["z1", "z2", "z3"]
    assert all(f.kind is Kind.CONTINUOUS for f in factors.values())
    assert all(f.values.dtype == torch.float64 for f in factors.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": torch.tensor([1.0, math.nan, math.inf])}, "2 values that are NaN"),
        ({"values": torch.full((4,), 3.0)}, r"constant \(3 in all 4"),
        ({"kind": Kind.CIRCULAR}, "needs a period"),
        ({"period": 360.0}, "others take none"),
    ],
)
def test_a_factor_that_cannot_be_scored_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        factor(**changes)  # type: ignore[arg-type]


def test_tables_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(InputError, match="at least one factor"):
        Factors([])
    with pytest.raises(InputError, match="same name"):
        Factors([factor(), factor()])
    with pytest.raises(InputError, match="'a': 5, 'b': 4"):
        Factors([factor("a"), factor("b", n=4)])
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        Factors.from_latents(np.ones(3))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'azimuth'"):
        Factors([factor("azimuth"), factor("size")])["azimut"]


def test_a_representation_refuses_what_does_not_belong_together() -> None:
    factors = Factors([factor()])
    with pytest.raises(InputError, match="1 values that are NaN"):
        Representation(h=torch.tensor([[0.0], [1], [math.nan], [3], [4]]), factors=factors)
    with pytest.raises(InputError, match="got 4 and 5"):
        Representation(h=torch.ones(4, 2), factors=factors)
