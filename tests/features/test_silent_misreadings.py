"""Files that were read as something else without a word; the right values are known."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from identikit import load_features
from identikit.core.errors import InputError
from identikit.features.paths import listed, plain_name
from identikit.features.rows import read_rows
from identikit.features.table import as_keys, read_table
from identikit.worlds.image_folder import find_images

N, D = 40, 12
RNG = np.random.default_rng(0)
H = RNG.normal(size=(N, D)).astype(np.float32)
SIZE = RNG.normal(size=N)


def wide(path: Path, rows: slice, order: Any, *, name: str = "h{}") -> None:
    pq.write_table(pa.table({name.format(j): H[rows, j] for j in order}), path)


# ---- order and names


def test_columns_of_shards_are_matched_by_their_names(tmp_path: Path) -> None:
    wide(tmp_path / "part-0.parquet", slice(0, 20), range(D))
    wide(tmp_path / "part-1.parquet", slice(20, 40), reversed(range(D)))
    np.testing.assert_array_equal(read_rows(tmp_path).h, H)


def test_columns_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    alphabet = sorted(range(D), key=lambda j: f"h{j}")  # h0, h1, h10, h11, h2, ...
    wide(tmp_path / "f.parquet", slice(None), alphabet)
    np.testing.assert_array_equal(read_rows(tmp_path / "f.parquet").h, H)


def test_columns_without_numbers_are_matched_to_the_first_shard(tmp_path: Path) -> None:
    wide(tmp_path / "part-0.parquet", slice(0, 20), range(D), name="column {}")
    wide(tmp_path / "part-1.parquet", slice(20, 40), reversed(range(D)), name="column {}")
    np.testing.assert_array_equal(read_rows(tmp_path, factors_apart=True).h, H)
    wide(tmp_path / "part-2.parquet", slice(20, 40), range(D), name="other {}")
    with pytest.raises(InputError, match=r"same columns; 'column 0' is in .*, not in both"):
        read_rows(tmp_path, factors_apart=True)


@pytest.mark.parametrize("names", [("h1", "h01"), ("h1", "features_1"), ("h_1", "h1")])
def test_columns_that_collide_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    table = pa.table([np.arange(3.0)] * 2, names=list(names))
    pq.write_table(table, tmp_path / "f.parquet")
    with pytest.raises(InputError, match="nobody can say how they are one matrix"):
        read_rows(tmp_path / "f.parquet")


def test_a_column_of_integers_does_not_round_the_others(tmp_path: Path) -> None:
    pq.write_table(pa.table({"h0": np.arange(3), "h1": [0.25, 0.5, 0.75]}), tmp_path / "f.parquet")
    assert read_rows(tmp_path / "f.parquet").h.tolist() == [[0, 0.25], [1, 0.5], [2, 0.75]]


def test_two_columns_of_one_name_are_refused_in_every_format(tmp_path: Path) -> None:
    table = pa.table([H[:, 0], SIZE, SIZE], names=["h0", "size", "size"])
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("size,size\n1,2\n3,4\n")
    for name in ("t.csv", "t.parquet"):
        with pytest.raises(InputError, match="has 2 columns called 'size'"):
            read_table(tmp_path / name)
    with pytest.raises(InputError, match="has 2 columns called 'size'"):
        read_rows(tmp_path / "t.parquet")
    np.savez(tmp_path / "f.npz", h=H, features=H, size=SIZE)
    with pytest.raises(InputError, match="holds both h and features"):
        read_rows(tmp_path / "f.npz")


def test_files_are_read_in_the_order_that_somebody_chose(tmp_path: Path) -> None:
    names = ["train.npy", "test.npy"]
    for name, rows in zip(names, (slice(0, 20), slice(20, 40)), strict=True):
        np.save(tmp_path / name, H[rows])
    np.testing.assert_array_equal(read_rows([tmp_path / name for name in names]).h, H)
    shell = [tmp_path / f"part-{k}.npy" for k in (0, 1, 10, 11, 2)]
    assert [path.stem for path in listed(shell)] == [f"part-{k}" for k in (0, 1, 2, 10, 11)]
    with pytest.raises(InputError, match=r"train\.npy is named twice"):
        listed([tmp_path / "train.npy", tmp_path / "train.npy"])


def test_parts_of_which_nobody_knows_where_they_belong(tmp_path: Path) -> None:
    np.save(tmp_path / "h-1.npy", H)
    np.save(tmp_path / "keys-2.npy", np.arange(N))
    with pytest.raises(InputError, match=r"keys-2\.npy belongs to no file of features"):
        read_rows(tmp_path)
    (tmp_path / "keys-2.npy").rename(tmp_path / "keys-1.npy")
    np.save(tmp_path / "features-1.npy", H)
    with pytest.raises(InputError, match="are both features of one part"):
        read_rows(tmp_path)
    (tmp_path / "features-1.npy").rename(tmp_path / "keys_1.npy")
    with pytest.raises(InputError, match="have one name"):
        read_rows(tmp_path)


# ---- ranks and missing values through files


def test_an_order_in_parquet_is_kept(tmp_path: Path) -> None:
    words = ["low", "mid", "high"]
    grade = pd.Categorical([words[k % 3] for k in range(N)], categories=words, ordered=True)
    frame = pd.DataFrame({"h": list(H), "grade": grade})
    frame[:20].to_parquet(tmp_path / "part-0.parquet")
    frame[20:].to_parquet(tmp_path / "part-1.parquet")
    factor = load_features(tmp_path).representation.factors["grade"]
    assert factor.kind == "ordinal"
    assert factor.values.tolist() == [k % 3 for k in range(N)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_missing_values_stay_with_their_factor(tmp_path: Path, suffix: str) -> None:
    np.save(tmp_path / "h.npy", H)
    frame = pd.DataFrame({"size": SIZE, "count": np.arange(N) % 5, "word": list("abcd") * 10})
    gaps = frame.assign(count=frame["count"].astype("Int64"))
    gaps.loc[3, "size"] = None
    gaps.loc[[1, 4], "count"] = pd.NA
    gaps.loc[7, "word"] = None
    path = tmp_path / f"t.{suffix}"
    gaps.to_csv(path, index=False) if suffix == "csv" else gaps.to_parquet(path)
    found = load_features(tmp_path / "h.npy", factors=path)
    factors = found.representation.factors
    assert [f.kind for f in factors.values()] == ["continuous", "categorical", "categorical"]
    assert factors["count"].levels == ("0", "1", "2", "3", "4")
    missing = {n: f.missing.nonzero().flatten().tolist() for n, f in factors.items()}  # type: ignore[union-attr]
    assert missing == {"size": [3], "count": [1, 4], "word": [7]}
    assert "count has no value in 2 of 40 samples" in " ".join(found.notes)
    with pytest.raises(InputError, match="column 'word' has no label in 1 of 40 rows, first in"):
        load_features(tmp_path / "h.npy", factors=path, only=("size",), groups="word")


def test_more_dimensions_than_samples_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", h=np.ones((5, 9)), size=np.arange(5))
    assert load_features(tmp_path / "f.npz").representation.h.shape == (5, 9)


# ---- numbers


def test_features_of_every_type_that_files_have(tmp_path: Path) -> None:
    for dtype in ("<f2", ">f8", "g", "u1", ">u2", "i8", "?"):
        values = (H > 0).astype(dtype)
        np.save(tmp_path / "h.npy", values)
        np.savez(tmp_path / "h.npz", h=values)
        for name in ("h.npy", "h.npz"):
            np.testing.assert_array_equal(read_rows(tmp_path / name).h.double(), H > 0)
    for kind in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        save_file({"h": torch.tensor(H > 0).to(kind)}, tmp_path / "h.safetensors")
        np.testing.assert_array_equal(read_rows(tmp_path / "h.safetensors").h.double(), H > 0)


def test_lists_of_integers_with_gaps_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"h": [[1, 2], [3, None]], "size": [1, 2]}), tmp_path / "f.parquet")
    with pytest.raises(InputError, match="missing values in the lists of column 'h'"):
        read_rows(tmp_path / "f.parquet")


def test_columns_that_cannot_be_used_hurt_only_who_asks_for_them(tmp_path: Path) -> None:
    dates = pd.date_range("2020", periods=N)
    frame = pd.DataFrame({"h": list(H), "size": SIZE, "day": dates, "raw": [b"\xff"] * N})
    frame.to_parquet(tmp_path / "f.parquet")
    assert load_features(tmp_path / "f.parquet", only=("size",)).representation.factors
    with pytest.raises(InputError, match="factor 'day' holds timestamp"):
        load_features(tmp_path / "f.parquet")
    with pytest.raises(InputError, match="factor 'raw' holds binary"):
        load_features(tmp_path / "f.parquet", only=("raw",))
    np.savez(tmp_path / "f.npz", h=H, size=SIZE, mean=H[0], note="seen in May")
    assert load_features(tmp_path / "f.npz", only=("size",)).representation.factors
    with pytest.raises(InputError, match=r"'mean' and 'h' must have .* got shape \(12,\)"):
        load_features(tmp_path / "f.npz", only=("size", "mean"))
    np.savez(tmp_path / "t.npz", size=SIZE, mean=H[0])
    np.save(tmp_path / "h.npy", H)
    both = {"factors": tmp_path / "t.npz"}
    assert load_features(tmp_path / "h.npy", only=("size",), **both).representation.factors  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"'mean' has shape \(12,\) in .* others have 40 rows"):
        load_features(tmp_path / "h.npy", **both)  # type: ignore[arg-type]


# ---- tables of text


def text(path: Path, words: str, encoding: str = "utf-8") -> Path:
    content = words.encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix.lower() == ".gz" else content)
    return path


def values(path: Path, key: str | None = None) -> dict[str, list[Any]]:
    return {
        name: [None if gone else v for v, gone in zip(c.values.tolist(), c.missing, strict=True)]
        for name, c in read_table(path, key=key).columns.items()
    }


PLAIN = {"name": ["a", "b"], "size": [1.5, 2.0], "count": [1, 2], "seen": [True, False]}


@pytest.mark.parametrize("name", ["t.csv", "t.CSV", "t.csv.gz", "t.Csv.GZ"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_is_the_same_however_it_is_kept(
    tmp_path: Path, name: str, ends: str, encoding: str
) -> None:
    words = ends.join(["name,size,count,seen", "a,1.5,1,True", "b,2,2,False", ""])
    assert values(text(tmp_path / name, words, encoding)) == PLAIN


@pytest.mark.parametrize(
    "words",
    [
        "name;size;count;seen\na;1.5;1;true\nb;2;2;false\n",
        "name;size;count;seen\na;1,5;1;true\nb;2,0;2;false\n",
        "name\tsize\tcount\tseen\na\t1.5\t1\ttrue\nb\t2\t2\tfalse\n",
        "name|size|count|seen\na|1.5|1|true\nb|2|2|false\n",
        'name,"size",count,seen\n"a",1.5,1,true\nb,"2",2,false',
        "\n\nname,size,count,seen\na,1.5,1,TRUE\n\nb, 2 ,2,FALSE\n",
    ],
)
def test_separators_are_told_by_the_rows(tmp_path: Path, words: str) -> None:
    assert values(text(tmp_path / "t.csv", words)) == PLAIN


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("a,b\nNA,1\nNone,2\nnull,3\n", {"a": ["NA", "None", "null"], "b": [1, 2, 3]}),
        ("a,b\nx,NA\ny,2\nz,3\n", {"a": ["x", "y", "z"], "b": [None, 2, 3]}),
        ("a,b\nx,nan\ny,2.5\n,\n", {"a": ["x", "y", None], "b": [None, 2.5, None]}),
        ('a,b\n"x,\n1",1\ny,2\n', {"a": ["x,\n1", "y"], "b": [1, 2]}),
        ("a\n1\n\n3\n", {"a": [1, None, 3]}),
        ("a,b\n1,?\n2,5\n", {"a": [1, 2], "b": ["?", "5"]}),
        ("a,b\n9007199254740993,1\n-2,2\n", {"a": [2**53 + 1, -2], "b": [1, 2]}),
        ("a,b\n12345678901234567890,1\n7,2\n", {"a": ["12345678901234567890", "7"], "b": [1, 2]}),
        ("a,b\n2020-01-02,1e3\n2020-01-03,2\n", {"a": ["2020-01-02", "2020-01-03"], "b": [1e3, 2]}),
        ("a,b\nyes,0x1\nno,1_0\n", {"a": ["yes", "no"], "b": ["0x1", "1_0"]}),
    ],
)
def test_cells_are_what_they_say(tmp_path: Path, words: str, wanted: dict[str, Any]) -> None:
    assert values(text(tmp_path / "t.csv", words)) == wanted


def test_keys_are_text_and_none_of_them_vanish(tmp_path: Path) -> None:
    path = text(tmp_path / "t.csv", "key,z\nNA,1\nNone,2\n007,3\nnan,4\n")
    assert as_keys(read_table(path, key="key").columns["key"], "t").tolist() == [
        *("NA", "None", "007", "nan")
    ]
    path = text(tmp_path / "u.csv", "key,z\na,1\n,2\n")
    with pytest.raises(InputError, match="missing in 1 of 2 rows, first in rows 1"):
        as_keys(read_table(path, key="key").columns["key"], "u")


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_an_index_that_was_saved_is_no_factor(tmp_path: Path, name: str) -> None:
    path = text(tmp_path / "t.csv", f"{name},z\n0,1\n1,2\n")
    table = read_table(path)
    assert list(table.columns) == ["z"]
    assert f"the column {name!r} is left out" in table.notes[0]
    np.save(tmp_path / "h.npy", H[:2])
    assert load_features(tmp_path / "h.npy", factors=path).notes == table.notes


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("name,z\ncafé,1\n".encode("latin-1"), r"line 2 has the byte 0xe9, as in Latin-1"),
        ("name,z\na,1\n".encode("utf-16"), "UTF-16"),
        (b"name,z\na\0,1\n", "no text"),
        (b"a,b\n1,2,3\n", "cut short or damaged"),
        (b"a,b\n1\n", "cut short or damaged"),
    ],
)
def test_text_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=says) as raised:
        read_table(tmp_path / "t.csv")
    assert "\n" not in str(raised.value)


def test_keys_that_only_look_alike_are_named(tmp_path: Path) -> None:
    composed, apart = "caf\u00e9.png", "cafe\u0301.png"
    np.savez(tmp_path / "f.npz", h=H[:3], key=["a.png", "b.png", composed])
    path = text(tmp_path / "t.csv", f"key,z\na.png,1\nb.png,2\n{apart},3\n")
    with pytest.raises(InputError, match=r"'caf\\xe9\.png' and 'cafe\\u0301\.png' look alike"):
        load_features(tmp_path / "f.npz", factors=path, key="key")
    pytest.importorskip("PIL")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / composed).touch()
    with pytest.raises(InputError, match="look alike"):
        find_images(tmp_path / "images", keys=[apart])


# ---- paths


@pytest.mark.parametrize("folder", ["a [1] b", "[x]*?", "é ü"])
def test_brackets_and_spaces_in_paths_are_letters(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir()
    (tmp_path / "a 1 b").mkdir()
    for k in range(2):
        np.save(place / f"h[{k}].npy", H[20 * k : 20 * k + 20])
    np.testing.assert_array_equal(read_rows(place / "h[0].npy").h, H[:20])
    np.testing.assert_array_equal(read_rows(place).h, H)
    np.testing.assert_array_equal(read_rows(f"{place}/h*.npy").h, H)
    assert listed(f"{place}/h?0?.npy") == [place / "h[0].npy"]


def test_names_that_differ_behind_a_dot_are_two() -> None:
    names = ["blocks.4", "blocks.10", "a.b.npz", "A.NPZ", "t.csv"]
    assert [plain_name(Path("x") / name) for name in names] == [
        *("blocks.4", "blocks.10", "a.b", "A", "t.csv")
    ]


def test_digits_of_other_scripts_are_letters(tmp_path: Path) -> None:
    for k in ("²", "١", "3"):
        np.save(tmp_path / f"h-{k}.npy", H)
    assert len(listed(f"{tmp_path}/h-*.npy")) == 3


def test_suffixes_are_read_in_any_case(tmp_path: Path) -> None:
    with (tmp_path / "H.NPY").open("wb") as file:
        np.save(file, H)
    np.testing.assert_array_equal(read_rows(tmp_path / "H.NPY").h, H)
    np.testing.assert_array_equal(read_rows(tmp_path).h, H)
