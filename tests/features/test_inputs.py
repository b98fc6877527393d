"""From users' arrays to factors with kinds, and the errors on the way."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from identikit.core.errors import InputError
from identikit.core.factors import Kind
from identikit.features.inputs import as_factors, as_features

N = 40


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.linspace(0, 1, N), Kind.CONTINUOUS),
        (np.arange(N) % 2 == 0, Kind.BINARY),
        (np.arange(N) % 2 * 1.0, Kind.BINARY),
        (np.array(["a", "b"] * (N // 2)), Kind.BINARY),
        (np.array(["a", "b", "c", "d"] * (N // 4)), Kind.CATEGORICAL),
        (np.array(["a", "b", "c", "d"] * (N // 4), dtype=object), Kind.CATEGORICAL),
        (np.arange(N) % 20, Kind.CATEGORICAL),
        (np.arange(N) % 21, Kind.ORDINAL),
        (np.arange(9), Kind.ORDINAL),
    ],
)
def test_kinds_are_inferred_by_the_documented_rule(values: np.ndarray, kind: Kind) -> None:
    assert as_factors({"f": values})["f"].kind is kind


def test_a_given_kind_wins() -> None:
    values = {"az": np.arange(N) * 9, "size": np.arange(N) % 3, "id": np.arange(N) % 5}
    kinds = {"az": "circular:360", "size": "ordinal"}
    factors = as_factors(values, kinds=kinds)
    assert (factors["az"].kind, factors["az"].period) == (Kind.CIRCULAR, 360.0)
    assert factors["size"].kind is Kind.ORDINAL
    assert factors["id"].kind is Kind.CATEGORICAL
    again = as_factors(factors, kinds={"az": "continuous"})
    assert again["az"].kind is Kind.CONTINUOUS


def test_factors_keep_the_kinds_that_nobody_renames() -> None:
    azimuth, shape = np.linspace(0, 360, 40), np.arange(40) % 4
    known = as_factors({"azimuth": azimuth, "shape": shape}, kinds={"azimuth": "circular:360"})
    again = as_factors(known, kinds={"shape": "ordinal"})
    assert again["azimuth"] is known["azimuth"]
    assert again["shape"].kind is Kind.ORDINAL


def test_levels_keep_their_names_and_ranks_their_order() -> None:
    factors = as_factors(
        {"s": np.array(["x", "b", "x", "a"] * 2), "o": np.array([30, 10, 30, 20] * 2)},
        kinds={"o": "ordinal"},
    )
    assert factors["s"].levels == ("a", "b", "x")
    assert factors["s"].values.tolist() == [2, 1, 2, 0] * 2
    assert factors["o"].values.tolist() == [2, 0, 2, 1] * 2


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=(N, 2)),
        torch.randn(N, 2, generator=torch.Generator().manual_seed(0)),
        {"z": np.random.default_rng(0).normal(size=(N, 2))},
    ],
)
def test_a_matrix_becomes_numbered_columns(values: Any) -> None:
    assert list(as_factors(values)) == ["z1", "z2"]


def test_a_data_frame_keeps_its_names() -> None:
    frame = pd.DataFrame({"a": np.linspace(0, 1, N), "b": ["x", "y"] * (N // 2)})
    factors = as_factors(frame)
    assert {name: f.kind for name, f in factors.items()} == {"a": "continuous", "b": "binary"}


@pytest.mark.parametrize(
    ("values", "kinds", "message"),
    [
        ({"f": np.array([1.0, np.nan, 2.0, np.inf])}, None, "'f' has 1 values.*rows 3"),
        ({"f": np.ones(N)}, None, "'f' is constant"),
        ({"f": np.array(["a"] * N)}, None, "'f' is constant"),
        ({"f": np.arange(N) + 1j}, None, "complex128"),
        ({"f": np.arange(N)}, {"g": "ordinal"}, "unknown factor in kinds 'g'.*Known: f"),
        ({"azimuth": np.arange(N)}, {"azimut": "ordinal"}, "mean 'azimuth'"),
        ({"f": np.arange(N)}, {"f": "cyclic"}, "unknown kind of factor 'f' 'cyclic'"),
        ({"f": np.arange(N)}, {"f": "ordnal"}, "mean 'ordinal'"),
        ({"f": np.arange(N)}, {"f": "circular"}, "circular:360 for degrees"),
        ({"f": np.arange(N)}, {"f": "circular:-1"}, "circular:360 for degrees"),
        ({"f": np.arange(N)}, {"f": "binary"}, "binary but has 40 levels"),
        ({"f": np.arange(N)}, {"f": "categorical"}, "most occur once"),
        ({"f": np.array(list("abcd"))}, {"f": "continuous"}, "holds strings"),
        ({"f": np.arange(N), "g": np.arange(9)}, None, "'f': 40, 'g': 9"),
        ({}, None, "factors is empty"),
        (np.ones((2, 2, 2)), None, r"shape \(2, 2, 2\)"),
        ({"f": [[1, 2], [3]]}, None, "holds list objects"),
    ],
)
def test_unusable_factors_are_refused(values: Any, kinds: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_factors(values, kinds=kinds)


def test_images_are_flattened_and_half_precision_is_kept() -> None:
    assert as_features(np.zeros((5, 2, 3), dtype=np.uint8), name="x").shape == (5, 6)
    assert as_features(torch.zeros(5, 2, dtype=torch.bfloat16), name="x").dtype == torch.bfloat16
    assert as_features(torch.zeros(5, 2, requires_grad=True), name="x").requires_grad is False


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(5), r"matrix.*shape \(5,\)"),
        (np.zeros((0, 5)), r"at least one of each; got shape \(0, 5\)"),
        (np.array([["a"]]), "must hold numbers"),
        (np.array([[1.0], [np.nan], [np.inf]]), "H has 2 values.*of 3, first in rows 1, 2"),
    ],
)
def test_unusable_features_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_features(values, name="H")
