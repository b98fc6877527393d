"""From users' arrays to factors with kinds, and the errors on the way."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
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


GRADES = ["mid", "low", "high", "mid", "low", "high"] * 3


@pytest.mark.parametrize(
    ("values", "kind", "ranks"),
    [
        (GRADES, "ordinal:low,mid,high", [1, 0, 2] * 6),
        (GRADES, "ordinal:low, mid, high, top", [1, 0, 2] * 6),
        ([10, 9, 100] * 6, "ordinal", [1, 0, 2] * 6),
        (np.array([10, 9, 100] * 6, object), "ordinal", [1, 0, 2] * 6),
        (np.array(["10", "9", "100"] * 6), "ordinal", [1, 0, 2] * 6),
        ([10, 9, 100] * 6, "ordinal:100,10,9", [1, 2, 0] * 6),
        ([10.0, 9.5, 100.0] * 6, "ordinal:100,10,9.5", [1, 2, 0] * 6),
        (np.array(["1.5", "-2", "1e3"] * 6), "continuous", [1.5, -2, 1000] * 6),
    ],
)
def test_ranks_follow_the_order_that_is_meant(values: Any, kind: str, ranks: list[float]) -> None:
    assert as_factors({"f": values}, kinds={"f": kind})["f"].values.tolist() == ranks


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (GRADES, "ordinal", r"text, whose order nobody gave.*f=ordinal:LOWEST.*high,low,mid"),
        (pd.Categorical(GRADES), "ordinal", "whose order nobody gave"),
        (GRADES, "ordinal:low,high", "1 levels that its order lacks, such as 'mid'"),
        (GRADES, "ordinal:low,low,high", "each once"),
        (GRADES, "categorical:low,mid,high", "for ordinal factors"),
        ([1, "1", 2] * 6, None, "mixes integer"),
        (["1.5", "?", "2.5"] * 6, None, r"but for 6 of 18 values, such as '\?' in row 1"),
        ([2**53, 2**53 + 1, 0, 1, 2, 3], "continuous", "makes one where they are two"),
        (np.array([1e200, 2, 3]), None, "squares float64 cannot hold"),
        (np.array([1e-200, 2e-200, 0]), None, "squares float64 cannot hold"),
        (np.array([1.0, np.inf, 1.0]), None, "NaN or infinite"),
    ],
)
def test_what_has_no_order_or_no_number_is_asked_for(values: Any, kind: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_factors({"f": values}, kinds=kind and {"f": kind})


def test_integers_beyond_2_to_the_53_keep_apart_as_levels_and_ranks() -> None:
    big = np.array([2**53, 2**53 + 1, 2**63 - 1, 0] * 3)
    for kind in ("ordinal", "categorical"):
        assert as_factors({"f": big}, kinds={"f": kind})["f"].values.tolist() == [1, 2, 3, 0] * 3


def test_a_factor_without_some_values_is_missing_from_no_other() -> None:
    words = ["a", None, "b", "b", "a", "c", "", "c"]
    factors = as_factors({"f": [1.0, None, 3.0, np.nan, 5, 6, 7, 8], "g": words, "z": range(8)})
    assert list(factors.complete() or ()) == ["z"]
    (rows_f, only_f), (rows_g, only_g) = factors.incomplete()
    assert rows_f.tolist() == [0, 2, 4, 5, 6, 7]
    assert only_f["f"].values.tolist() == [1, 3, 5, 6, 7, 8]
    assert rows_g.tolist() == [0, 2, 3, 4, 5, 7]
    assert only_g["g"].levels == ("a", "b", "c")
    assert only_g["g"].values.tolist() == [0, 1, 1, 0, 2, 2]


@pytest.mark.parametrize(
    "values",
    [
        pd.DataFrame(np.arange(8.0).reshape(4, 2) % 3, columns=["a", "a"]),
        {1: [1, 2, 3, 4], "1": [4, 3, 2, 1]},
        {"z": np.arange(8).reshape(4, 2), "z1": [1, 2, 3, 4]},
        pa.table([[1.0, 2, 3], [3.0, 2, 1]], names=["a", "a"]),
    ],
)
def test_names_that_are_the_same_as_text_are_refused(values: Any) -> None:
    with pytest.raises(InputError, match=r"must have different names; '(a|1|z1)' comes 2 times"):
        as_factors(values)


@pytest.mark.parametrize("name", ["Unnamed: 0", "", "__index_level_0__"])
def test_a_saved_index_is_no_factor(name: str) -> None:
    with pytest.raises(InputError, match="looks like the index of a saved data frame"):
        as_factors(pd.DataFrame({name: range(9), "a": np.linspace(0, 1, 9)}))


def test_a_series_and_records_are_columns() -> None:
    assert as_factors(pd.Series([1.0, 2, 3], index=list("abc"), name="size"))["size"].values[2] == 3
    records = np.array([(1.0, 2), (2.0, 3), (3.5, 1)], [("a", "f4"), ("b", "i4")])
    assert list(as_factors(records)) == ["a", "b"]


@pytest.mark.parametrize(
    "values",
    [
        np.eye(3, dtype="g"),
        np.eye(3, dtype=">f8"),
        np.eye(3).tolist(),
        pd.DataFrame(np.eye(3)).astype("Float64"),
        pd.DataFrame({"a": [1, 0, 0], "b": [0.0, 1, 0], "c": [False, False, True]}),
        torch.eye(3).to(torch.float8_e4m3fn),
        torch.eye(3, dtype=torch.uint8).to(torch.uint64),
        np.eye(3, dtype=object),
    ],
)
def test_features_of_every_type_are_converted(values: Any) -> None:
    assert as_features(values, name="H").double().tolist() == np.eye(3).tolist()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.eye(2).to(torch.complex64), "complex"),
        (torch.eye(2).to_sparse(), "sparse"),
        (np.array([[2**53], [1]]), r"integers up to 9\.01e\+15"),
        (torch.tensor([[2**63], [1]], dtype=torch.uint64), "only up to 2"),
        (np.array([[1e200], [1]]), "values up to 1e\\+200, whose squares"),
        (np.array([[1e-200], [0]]), "values up to 1e-200, whose squares"),
        (pd.DataFrame({"a": [1.0, None], "b": [1, 2]}), "H has 1 values that are NaN"),
        (pd.DataFrame({"a": [1.0, 2], "b": ["x", "y"]}), "column 'b' of H must hold numbers"),
        (np.array([["2020"]], "M8[Y]"), "dates"),
    ],
)
def test_features_that_would_lose_something_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_features(values, name="H")
