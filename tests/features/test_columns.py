"""Every container and every type of number: converted without loss, or refused in one sentence."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from identikit.core.errors import InputError
from identikit.features.columns import as_column, as_labels, as_mask, joined
from identikit.features.inputs import as_factors, as_features

NUMBERS = [3, 1, 2, 1, 3, 0]


@pytest.mark.parametrize(
    "values",
    [
        NUMBERS,
        tuple(NUMBERS),
        range(6),
        *(np.array(NUMBERS, dtype) for dtype in ("i1", "u2", ">i4", "u8", "f2", ">f4", "f8", "g")),
        np.array(NUMBERS, object),
        *(torch.tensor(NUMBERS).to(getattr(torch, d)) for d in ("uint8", "uint16", "uint64")),
        *(torch.tensor(NUMBERS).to(getattr(torch, d)) for d in ("bfloat16", "float8_e4m3fn")),
        *(pd.Series(NUMBERS, index=[5, 4, 3, 2, 1, 0], dtype=d) for d in ("Int8", "Float32", "i2")),
        pd.Series(NUMBERS, dtype=pd.ArrowDtype(pa.uint16())),
        pd.Series(pd.arrays.SparseArray(NUMBERS)),
        pd.Categorical(NUMBERS),
        pa.array(NUMBERS),
        pa.chunked_array([np.array(part, "f2") for part in (NUMBERS[:2], NUMBERS[2:])]),
        pa.array([Decimal(v) for v in NUMBERS], pa.decimal128(9, 2)),
        [Decimal(v) for v in NUMBERS],
        [Fraction(v) for v in NUMBERS],
    ],
)
def test_numbers_are_the_same_from_every_container(values: Any) -> None:
    column = as_column(values).require("it")
    wanted = list(range(6)) if isinstance(values, range) else NUMBERS
    assert column.values.astype(float).tolist() == wanted
    assert column.values.dtype.isnative
    assert not column.missing.any()
    assert column.values.dtype.kind in "iuf"


WORDS = ["b", "a", "b", "c"]


@pytest.mark.parametrize(
    "values",
    [
        WORDS,
        np.array(WORDS),
        np.array(WORDS, "S1"),
        np.array(WORDS, object),
        np.array(WORDS, np.dtypes.StringDType()) if hasattr(np.dtypes, "StringDType") else WORDS,
        pd.Series(WORDS, index=list("dcba")),
        pd.Series(WORDS, dtype="string"),
        pd.Categorical(WORDS),
        pa.array(WORDS, pa.large_string()),
        pa.array(WORDS).dictionary_encode(),
    ],
)
def test_words_are_the_same_from_every_container(values: Any) -> None:
    column = as_column(values).require("it")
    assert column.text
    assert column.values.tolist() == WORDS


@pytest.mark.parametrize(
    "values",
    [
        ["a", None, "", "b"],
        np.array(["a", " ", "", "b"]),
        pd.Series(["a", None, " ", "b"], dtype="string"),
        pd.Categorical(["a", None, None, "b"]),
        pa.array(["a", None, "", "b"]),
        [1.0, None, float("nan"), 2.0],
        [1, None, pd.NA, 2],
        np.array([1, np.nan, np.nan, 2]),
        torch.tensor([1, torch.nan, torch.nan, 2]),
        pd.Series([1, None, None, 2], dtype="Int64"),
        pd.Series([True, None, None, False], dtype="boolean"),
        pa.array([2**60, None, None, 1]),
        [Decimal(1), Decimal("nan"), None, Decimal(2)],
    ],
)
def test_what_is_missing_is_known(values: Any) -> None:
    column = as_column(values)
    assert column.missing.tolist() == [False, True, True, False]
    with pytest.raises(InputError, match="groups has no label in 2 of 4 rows, first in rows 1, 2"):
        as_labels(values, name="groups", n=4)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.ma.MaskedArray([1.0, 2], mask=[True, False]), "has 1 values under a mask"),
        (np.array([1 + 1j, 2]), "complex numbers"),
        (torch.tensor([1 + 1j, 2]), "complex numbers"),
        (np.array(["2020-01-01", "2020-01-02"], "M8[D]"), "dates"),
        (pd.Series(pd.to_timedelta([1, 2])), "durations"),
        (pd.date_range("2020", periods=2, tz="UTC"), r"datetime64\["),
        (pd.Series(pd.interval_range(0, 2)), "interval"),
        (np.zeros(2, [("a", "f4")]), "records"),
        (torch.eye(2).to_sparse(), "sparse"),
        (sparse.eye_array(2), "sparse matrix"),
        (np.float64(3), "is one value"),
        ("word", "is one value"),
        (torch.tensor(1.0), "is one value"),
        ([["a"], ["b", "c"]], "list objects"),
        ([[1, 2], [3]], "list objects"),
        ([1, "1"], "mixes integer .* and text"),
        ([True, "x"], "mixes boolean .* and text"),
        ([2**70, 1], "beyond 64 bits"),
        ([b"\xff", b"a"], "not UTF-8"),
        (np.array([b"\xff", b"a"]), "not UTF-8"),
        (pa.array([b"ab", b"c"]), "binary"),
        (pa.array([["a"], ["b"]]), "list"),
        (pa.array([{"a": 1}, {"a": 2}]), "struct"),
        (pa.array([1, 2], pa.timestamp("s")), "timestamp"),
        ([Decimal("0.1"), Decimal("0.1000000000000000000001")], "makes one where they are two"),
        pytest.param(
            np.array([1, 1 + np.finfo("g").eps], "g"),
            "makes one where they are two",
            marks=pytest.mark.skipif(
                np.finfo("g").eps == np.finfo("d").eps, reason="long double is double here"
            ),
        ),
    ],
)
def test_everything_else_is_refused_in_one_sentence(values: Any, says: str) -> None:
    column = as_column(values)
    with pytest.raises(InputError, match=f"^it .*{says}") as raised:
        column.require("it")
    assert "\n" not in str(raised.value)


def test_a_mask_that_hides_nothing_is_none() -> None:
    assert as_column(np.ma.MaskedArray([1.0, 2])).values.tolist() == [1, 2]
    with pytest.raises(InputError, match="H has 1 values under a mask"):
        as_features(np.ma.MaskedArray([[1.0], [2]], mask=[[True], [False]]), name="H")


@pytest.mark.parametrize("ordered", [["low", "mid", "high"], [3, 1, 2]])
def test_an_order_that_was_given_is_kept_through_every_container(ordered: list[Any]) -> None:
    given = [ordered[k] for k in (2, 0, 1, 2, 0, 1)]
    ordinal = pd.Categorical(given, categories=ordered, ordered=True)
    table = pa.Table.from_pandas(pd.DataFrame({"grade": ordinal}))
    for values in ({"grade": ordinal}, pd.DataFrame({"grade": ordinal}), table):
        factor = as_factors(values)["grade"]
        assert factor.kind == "ordinal"
        assert factor.values.tolist() == [2, 0, 1, 2, 0, 1]
        assert factor.levels == tuple(map(str, ordered))
    halves = [as_column(ordinal[:3]), as_column(ordinal[3:])]
    assert joined(halves).order == tuple(map(str, ordered))
    other = pd.Categorical(given[:3], categories=ordered[::-1], ordered=True)
    with pytest.raises(ValueError, match="different orders"):
        joined([halves[0], as_column(other)])


def test_labels_are_read_by_position() -> None:
    series = pd.Series(["a", "b", "a", "c"], index=[3, 2, 1, 0])
    for values in (series, series.to_list(), series.to_numpy(), pa.array(series.to_list())):
        assert as_labels(values, name="groups", n=4).tolist() == [0, 1, 0, 2]
    with pytest.raises(InputError, match=r"each of 4 rows; got shape \(4, 2\)"):
        as_labels(np.ones((4, 2)), name="groups", n=4)


@pytest.mark.parametrize("of", [list, tuple, np.array, torch.tensor, pd.Series, pa.array])
def test_a_mask_is_yes_or_no_by_position(of: Any) -> None:
    assert as_mask(of([True, False, True]), name="train_mask", n=3).tolist() == [True, False, True]
    assert as_mask(of([1, 0, 1]), name="train_mask", n=3).tolist() == [True, False, True]
    with pytest.raises(InputError, match=r"train_mask must hold True or False .* got 0, 1, 2"):
        as_mask(of([0, 1, 2]), name="train_mask", n=3)
    with pytest.raises(InputError, match="each of 3 rows"):
        as_mask(of([0, 1]), name="train_mask", n=3)


@pytest.mark.parametrize("values", [["yes", "no", "no"], ["True", "False", "False"]])
def test_words_are_no_mask(values: list[str]) -> None:
    with pytest.raises(InputError, match="must hold True or False"):
        as_mask(values, name="train_mask", n=3)
    with pytest.raises(InputError, match="each of 3 rows"):
        as_mask(np.ones((3, 2), bool), name="train_mask", n=3)
    with pytest.raises(InputError, match="no label in 1 of 3"):
        as_mask([True, None, False], name="train_mask", n=3)
