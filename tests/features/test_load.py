"""Features in every form with factors in every place, and one error for each way to be wrong."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as torch_save_file

from identikit import load_features
from identikit.core import memory_mapped as mapped
from identikit.core.errors import InputError
from identikit.core.factors import Kind
from identikit.features.load import Loaded
from identikit.features.shards import (
    Manifest,
    describe_shard,
    shard_file,
    write_keys,
    write_manifest,
    write_shard,
)
from identikit.features.table import read_table

N, D = 60, 4
RNG = np.random.default_rng(0)
H = RNG.normal(size=(N, D)).astype(np.float32)
SIZE = RNG.normal(size=N)
SHAPE = np.array(["cube", "ball", "cone"] * 20)
NAMES = np.array([f"image-{i:03d}.png" for i in range(N)])


def is_all(found: Loaded, *, rows: Any = slice(None), h: Any = H) -> None:
    """The samples are there, in their order, with their own factors."""
    rep = found.representation
    np.testing.assert_array_equal(rep.h.double(), h[rows].astype(float))
    np.testing.assert_array_equal(rep.factors["size"].values, SIZE[rows])
    shape = rep.factors["shape"]
    assert [shape.levels[int(v)] for v in shape.values] == SHAPE[rows].tolist()


def npz(path: Path, rows: slice = slice(None), **more: Any) -> None:
    np.savez(path, **{"h": H[rows], "size": SIZE[rows], "shape": SHAPE[rows], **more})


def npy(path: Path, rows: slice = slice(None)) -> None:
    np.save(path, H[rows])


def safetensors(path: Path, rows: slice = slice(None)) -> None:
    save_file({"h": H[rows], "key": np.arange(N)[rows]}, path)


def lists(path: Path, rows: slice = slice(None), **more: Any) -> None:
    frame = {"size": SIZE[rows], "shape": SHAPE[rows], **more}
    pq.write_table(pa.table({"h": list(H[rows]), **frame}), path, row_group_size=7)


def wide(path: Path, rows: slice = slice(None)) -> None:
    columns = {f"h{j}": H[rows, j] for j in range(D)}
    pq.write_table(pa.table({"size": SIZE[rows], "shape": SHAPE[rows], **columns}), path)


def table(path: Path, rows: Any = slice(None), **more: Any) -> Path:
    frame = pd.DataFrame({"name": NAMES, "size": SIZE, "shape": SHAPE}).iloc[rows].assign(**more)
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(("write", "suffix"), [(npz, "npz"), (lists, "parquet"), (wide, "parquet")])
def test_a_file_may_hold_features_and_factors(
    tmp_path: Path, write: Callable[..., None], suffix: str
) -> None:
    write(tmp_path / f"f.{suffix}")
    is_all(load_features(tmp_path / f"f.{suffix}"))


@pytest.mark.parametrize(("write", "suffix"), [(npz, "npz"), (lists, "parquet"), (wide, "parquet")])
def test_shards_are_joined_in_natural_order(
    tmp_path: Path, write: Callable[..., None], suffix: str
) -> None:
    for k in range(12):
        write(tmp_path / f"part-{k}.{suffix}", slice(5 * k, 5 * k + 5))
    is_all(load_features(tmp_path))
    is_all(load_features(f"{tmp_path}/part-*.{suffix}"))
    is_all(load_features(sorted(tmp_path.iterdir())))  # as a shell lists them: 0, 1, 10, 11, 2


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_keeps_its_type_and_is_mapped(tmp_path: Path, dtype: str, order: Any) -> None:
    given = np.asarray(H.astype(dtype), order=order)
    np.save(tmp_path / "h.npy", given)
    factors = {"size": SIZE, "shape": SHAPE}
    np.savez(tmp_path / "z.npz", **factors)  # type: ignore[arg-type]
    found = load_features(tmp_path / "h.npy", factors=tmp_path / "z.npz")
    is_all(found, h=given)
    h = found.representation.h
    assert h.dtype == getattr(torch, np.dtype(dtype).name)
    if order == "C" and dtype != ">f4":
        assert h.untyped_storage().data_ptr() in mapped._MAPPINGS
    mapped.release(h)
    is_all(found, h=given)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(("write", "kind"), [(npy, "npy"), (safetensors, "safetensors")])
def test_a_table_without_a_key_is_in_the_same_order(
    tmp_path: Path, suffix: str, write: Callable[..., None], kind: str
) -> None:
    write(tmp_path / f"f.{kind}")
    factors = table(tmp_path / f"t.{suffix}")
    if kind == "npy":
        is_all(load_features(tmp_path / "f.npy", factors=factors, only=("size", "shape")))
    else:  # there are keys, so they must be used
        with pytest.raises(InputError, match="the samples have keys"):
            load_features(tmp_path / "f.safetensors", factors=factors)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_is_joined_by_its_key(tmp_path: Path, suffix: str) -> None:
    np.savez(tmp_path / "f.npz", h=H, name=NAMES)
    factors = table(tmp_path / f"t.{suffix}", rows=RNG.permutation(N))
    found = load_features(tmp_path / "f.npz", factors=factors, key="name")
    is_all(found)
    assert list(found.representation.factors) == ["size", "shape"]
    assert found.notes == ()


def test_keys_of_numbers_and_of_text_that_looks_like_them(tmp_path: Path) -> None:
    safetensors(tmp_path / "f.safetensors")
    order = RNG.permutation(N)
    factors = table(tmp_path / "t.csv", rows=order, id=order)
    is_all(
        load_features(tmp_path / "f.safetensors", factors=factors, key="id", only=("size", "shape"))
    )
    padded = table(tmp_path / "p.csv", id=[f"{i:04d}" for i in range(N)])
    with pytest.raises(InputError, match=r"such as '0', '1', '2'; 60 of 60 .* '0000', '0001'"):
        load_features(tmp_path / "f.safetensors", factors=padded, key="id")


def test_parts_that_belong_together_by_their_numbers(tmp_path: Path) -> None:
    for k in range(3):
        rows = slice(20 * k, 20 * k + 20)
        np.save(tmp_path / f"features-{k:05d}.npy", H[rows].astype(np.float16))
        np.save(tmp_path / f"keys-{k:05d}.npy", NAMES[rows])
        np.save(tmp_path / f"x-{k:05d}.npy", np.full((20, 3, 2), k, np.uint8))
    factors = table(tmp_path / "t.csv", rows=slice(None, None, -1))
    found = load_features(tmp_path, factors=factors, key="name")
    is_all(found, h=H.astype(np.float16))
    assert found.representation.h.dtype == torch.float16
    x = found.representation.x
    assert x is not None
    assert x.tolist() == np.repeat([[0.0] * 6, [1.0] * 6, [2.0] * 6], 20, axis=0).tolist()


def test_shards_that_are_large_go_into_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "LARGE", 100)
    monkeypatch.setattr(mapped, "BLOCK", 12)
    for k in range(3):
        npz(tmp_path / f"f{k}.npz", slice(20 * k, 20 * k + 20))
    found = load_features(tmp_path)
    is_all(found)
    assert found.representation.h.untyped_storage().data_ptr() in mapped._MAPPINGS


def test_columns_can_be_chosen_and_have_other_uses(tmp_path: Path) -> None:
    npz(tmp_path / "f.npz", item=np.arange(N) // 3, day=np.arange(N) // 10, other=SIZE**2)
    found = load_features(tmp_path / "f.npz", only=("size", "shape"), items="item", groups="day")
    assert list(found.representation.factors) == ["size", "shape"]
    assert found.items is not None
    assert found.groups is not None
    assert found.items.tolist() == (np.arange(N) // 3).tolist()
    assert found.groups.tolist() == (np.arange(N) // 10).tolist()
    rest = load_features(
        tmp_path / "f.npz", items="item", groups="day", kinds={"shape": "ordinal:ball,cone,cube"}
    )
    assert list(rest.representation.factors) == ["size", "shape", "other"]
    assert rest.representation.factors["shape"].kind is Kind.ORDINAL
    with pytest.raises(InputError, match="Did you mean 'shape'"):
        load_features(tmp_path / "f.npz", only=("shap",))
    with pytest.raises(InputError, match="Did you mean 'item'"):
        load_features(tmp_path / "f.npz", items="itme")


@pytest.mark.parametrize("form", ["npy", "npz", "safetensors", "state"])
def test_a_head_comes_from_a_file(tmp_path: Path, form: str) -> None:
    npz(tmp_path / "f.npz")
    W = RNG.normal(size=(6, D))
    path = tmp_path / f"head.{'safetensors' if form == 'state' else form}"
    if form == "npy":
        np.save(path, W)
    elif form == "npz":
        np.savez(path, W=W, head_class=np.arange(6) % 3)
    elif form == "safetensors":
        save_file({"W": W, "b": np.zeros(6)}, path)
    else:
        save_file({"fc.weight": W, "fc.bias": np.zeros(6)}, path)
    head = load_features(tmp_path / "f.npz", head=path).representation.head
    assert head is not None
    np.testing.assert_array_equal(head, W)
    save_file({"fc.weight": W, "layer.weight": W}, tmp_path / "two.safetensors")
    with pytest.raises(InputError, match=r"holds no head: it has fc\.weight, layer\.weight"):
        load_features(tmp_path / "f.npz", head=tmp_path / "two.safetensors")


def test_controls_are_brought_into_the_same_order(tmp_path: Path) -> None:
    npz(tmp_path / "f.npz", key=NAMES)
    order = RNG.permutation(N)
    np.savez(tmp_path / "twin.npz", h=2 * H[order], key=NAMES[order])
    np.save(tmp_path / "pixels.npy", np.arange(N * 6, dtype=np.uint8).reshape(N, 3, 2))
    found = load_features(
        tmp_path / "f.npz",
        controls={"untrained": tmp_path / "twin.npz", "x": tmp_path / "pixels.npy"},
    )
    np.testing.assert_array_equal(found.controls["untrained"], 2 * H)
    assert list(found.controls) == ["untrained"]
    assert found.representation.x is not None
    assert found.representation.x.dtype == torch.float32
    np.savez(tmp_path / "less.npz", h=H[5:], key=NAMES[5:])
    with pytest.raises(InputError, match=r"lacks 5 of 60 samples, such as 'image-000\.png'"):
        load_features(tmp_path / "f.npz", controls={"twin": tmp_path / "less.npz"})
    np.save(tmp_path / "short.npy", H[5:])
    with pytest.raises(InputError, match="has 55 samples and the features 60"):
        load_features(tmp_path / "f.npz", controls={"twin": tmp_path / "short.npy"})


# ---- a folder as `identikit extract` makes it


def extracted(folder: Path, h: Any = H, *, controls: dict[str, Any] | None = None) -> Path:
    folder.mkdir()
    shards = []
    for k in range(3):
        path = folder / shard_file(k)
        write_shard(path, h[20 * k : 20 * k + 20])
        shards.append(describe_shard(path)[0])
    write_keys(folder, NAMES.tolist())
    save_file({"W": np.eye(3, h.shape[1], dtype=np.float32)}, folder / "head.safetensors")
    for name, other in (controls or {}).items():
        extracted(folder / name, other)
    manifest = Manifest(
        finished=True,
        n=N,
        dim=h.shape[1],
        dtype="float32",
        shards=tuple(shards),
        controls={name: name for name in controls or {}},
        head="head.safetensors",
        settings={"model": "timm:resnet18"},
        versions={},
    )
    write_manifest(folder, manifest)
    return folder


def test_an_extracted_folder_brings_head_and_controls(tmp_path: Path) -> None:
    pixels = RNG.normal(size=(N, 12)).astype(np.float32)
    folder = extracted(tmp_path / "f", controls={"untrained": -H, "pixels": pixels})
    factors = table(tmp_path / "t.csv", rows=RNG.permutation(N))
    found = load_features(folder, factors=factors, key="name")
    is_all(found)
    np.testing.assert_array_equal(found.controls["untrained"], -H)
    assert found.representation.x is not None
    np.testing.assert_array_equal(found.representation.x, pixels)
    assert found.representation.head is not None
    assert found.representation.head.shape == (3, D)


def test_a_changed_shard_is_named_and_can_be_skipped(tmp_path: Path) -> None:
    folder = extracted(tmp_path / "f", controls={"untrained": -H})
    content = bytearray((folder / shard_file(1)).read_bytes())
    content[-3] ^= 1  # one bit, which the file's own header cannot tell
    (folder / shard_file(1)).write_bytes(content)
    factors = table(tmp_path / "t.csv")
    with pytest.raises(InputError, match=r"shard-00001.*one of 3 shards; skip_corrupt"):
        load_features(folder, factors=factors, key="name")
    found = load_features(folder, factors=factors, key="name", skip_corrupt=True)
    kept = np.r_[:20, 40:60]
    is_all(found, rows=kept)
    np.testing.assert_array_equal(found.controls["untrained"], -H[kept])
    assert found.notes[0].startswith("shard-00001.safetensors: ")
    assert "20 of 60 rows" in found.notes[1]


def test_a_folder_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    folder = extracted(tmp_path / "f")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"finished": False}))
    with pytest.raises(InputError, match="is not finished"):
        load_features(folder)


# ---- wrong input


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-150])


def garbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(content)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"h": H}))


@pytest.mark.parametrize(
    ("write", "suffix", "damage"),
    [
        (npz, "npz", cut),
        (npz, "npz", garbled),
        (npz, "npz", pickled),
        (npy, "npy", cut),
        (npy, "npy", pickled),
        (safetensors, "safetensors", cut),
        (safetensors, "safetensors", pickled),
        (lists, "parquet", cut),
        (lists, "parquet", garbled),
        (lists, "parquet", pickled),
        (npy, "npy", lambda path: path.write_bytes(b"")),
    ],
)
def test_a_corrupt_shard_among_good_ones(
    tmp_path: Path, write: Callable[..., None], suffix: str, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for k in range(3):
        write(folder / f"part-{k}.{suffix}", slice(20 * k, 20 * k + 20))
    damage(folder / f"part-1.{suffix}")
    with pytest.raises(InputError, match=rf"part-1\.{suffix}.*It is one of 3 shards") as raised:
        load_features(folder)
    assert "\n" not in str(raised.value)
    kept = np.r_[:20, 40:60]
    if suffix in ("npz", "parquet"):
        found = load_features(folder, skip_corrupt=True)
        is_all(found, rows=kept)
        assert [note.split(":")[0] for note in found.notes] == [f"part-1.{suffix}"]
    elif suffix == "npy":  # nobody knows which rows of the table are gone
        with pytest.raises(InputError, match="60 rows for 40 samples that are left of the shards"):
            load_features(folder, factors=table(tmp_path / "t.csv"), skip_corrupt=True)
    else:
        factors = table(tmp_path / "t.csv", id=np.arange(N))
        found = load_features(
            folder, factors=factors, key="id", skip_corrupt=True, only=("size", "shape")
        )
        is_all(found, rows=kept)


def test_no_shard_is_good(tmp_path: Path) -> None:
    for k in range(2):
        npz(tmp_path / f"part-{k}.npz")
        cut(tmp_path / f"part-{k}.npz")
    with pytest.raises(InputError, match=r"none of the shards could be read.*part-0.*part-1"):
        load_features(tmp_path, skip_corrupt=True)


@pytest.mark.parametrize("name", ["model.pt", "f.pkl", "f.pth", "f.joblib"])
def test_pickles_are_never_opened(tmp_path: Path, name: str) -> None:
    torch.save({"h": torch.as_tensor(H)}, tmp_path / name)
    with pytest.raises(InputError, match="which could run any code and is never opened"):
        load_features(tmp_path / name)
    npz(tmp_path / "f.npz")
    with pytest.raises(InputError, match="never opened"):
        load_features(tmp_path / "f.npz", head=tmp_path / name)
    with pytest.raises(InputError, match="never opened"):
        load_features(tmp_path / "f.npz", factors=tmp_path / name)


def test_object_arrays_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "h.npy", np.array([[{}]] * N, dtype=object))
    with pytest.raises(InputError, match=r"pickled object.*never opened"):
        load_features(tmp_path / "h.npy", factors=table(tmp_path / "t.csv"))
    npy(tmp_path / "f.npy")
    np.save(tmp_path / "z.npy", np.array([{}] * N, dtype=object))
    with pytest.raises(InputError, match=r"pickled object.*never opened"):
        load_features(tmp_path / "f.npy", factors=tmp_path / "z.npy")


def test_keys_on_one_side_only_are_counted_both_ways(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", h=H[:57], name=NAMES[:57])
    factors = table(tmp_path / "t.csv", rows=slice(2, N))
    with pytest.raises(
        InputError,
        match=r"2 of 57 samples .* 'image-000\.png', 'image-001\.png'; 3 of 58 rows .* "
        r"'image-057\.png'.* with the 55 that both have \(partial\)",
    ):
        load_features(tmp_path / "f.npz", factors=factors, key="name")
    found = load_features(tmp_path / "f.npz", factors=factors, key="name", partial=True)
    is_all(found, rows=slice(2, 57))
    assert "2 of 57 samples" in found.notes[0]
    assert "3 of 58 rows" in found.notes[0]
    nobody = table(tmp_path / "n.csv", name=[f"other-{i}" for i in range(N)])
    with pytest.raises(InputError, match=r"57 of 57 samples.*60 of 60 rows"):
        load_features(tmp_path / "f.npz", factors=nobody, key="name", partial=True)


def test_keys_that_occur_twice_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", h=H, name=NAMES)
    twice = table(tmp_path / "t.csv", name=[*NAMES[:-1], NAMES[4]])
    with pytest.raises(InputError, match=r"1 keys occur more than once in .*t\.csv.*'image-004"):
        load_features(tmp_path / "f.npz", factors=twice, key="name")
    np.savez(tmp_path / "g.npz", h=H, name=[*NAMES[:-1], NAMES[7]])
    with pytest.raises(InputError, match=r"more than once in the features, such as 'image-007"):
        load_features(tmp_path / "g.npz", factors=table(tmp_path / "u.csv"), key="name")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "nam"}, "unknown column of .* Did you mean 'name'"),
        ({}, "the samples have keys"),
        ({"key": "size"}, "holds decimal numbers"),
        ({"key": "name", "kinds": {"shap": "ordinal"}}, "Did you mean 'shape'"),
    ],
)
def test_keys_that_cannot_join(tmp_path: Path, options: Any, message: str) -> None:
    np.savez(tmp_path / "f.npz", h=H, key=NAMES)
    with pytest.raises(InputError, match=message):
        load_features(tmp_path / "f.npz", factors=table(tmp_path / "t.parquet"), **options)


def test_features_without_keys_cannot_be_joined(tmp_path: Path) -> None:
    npy(tmp_path / "f.npy")
    with pytest.raises(InputError, match="the features have no keys"):
        load_features(tmp_path / "f.npy", factors=table(tmp_path / "t.csv"), key="name")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["red"] * N, "'new' is constant"),
        (NAMES, "'new' is categorical but has 60 levels in 60 samples; most occur once"),
        ([None] * N, "'new' has no value in any row"),
        ([1.5, float("inf"), *[2.5] * 58], "'new' (has 1 values that are NaN|.*'inf')"),
    ],
)
def test_factors_that_cannot_be_probed(tmp_path: Path, column: Any, message: str) -> None:
    npy(tmp_path / "f.npy")
    for suffix in ("csv", "parquet"):
        factors = table(tmp_path / f"t.{suffix}", new=column)
        with pytest.raises(InputError, match=message):
            load_features(tmp_path / "f.npy", factors=factors, only=("size", "new"))
        is_all(load_features(tmp_path / "f.npy", factors=factors, only=("size", "shape")))


@pytest.mark.parametrize("named", [False, True])
def test_an_index_that_pandas_saved_is_a_column_if_it_has_a_name(
    tmp_path: Path, named: bool
) -> None:
    order = np.random.default_rng(1).permutation(N)
    frame = pd.DataFrame({"h": list(H), "size": SIZE, "shape": SHAPE}, index=NAMES)
    frame.rename_axis("name" if named else None).to_parquet(tmp_path / "f.parquet")
    is_all(load_features(tmp_path / "f.parquet", only=("size", "shape")))
    known = table(tmp_path / "t.csv", order)
    both: dict[str, Any] = {"factors": known, "only": ("size", "shape"), "key": "name"}
    frame[["h"]].rename_axis("name" if named else None).to_parquet(tmp_path / "h.parquet")
    if named:
        is_all(load_features(tmp_path / "h.parquet", **both))
    else:
        with pytest.raises(InputError, match="key"):
            load_features(tmp_path / "h.parquet", **both)
    turned = frame.iloc[order][["size", "shape"]].rename_axis("name" if named else None)
    turned.to_parquet(tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet").columns
    assert list(found) == ["size", "shape", "name"][: 2 + named]


def test_a_table_of_half_precision_is_read(tmp_path: Path) -> None:
    size = torch.linspace(0, 1, N).bfloat16()
    torch_save_file({"size": size}, tmp_path / "t.safetensors")
    np.testing.assert_array_equal(
        read_table(tmp_path / "t.safetensors").columns["size"].values, size.float().numpy()
    )


@pytest.mark.parametrize("content", [b"", b"\x00\xff\x93", b'a,b\n1,2,3\n"'])
def test_tables_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    npy(tmp_path / "f.npy")
    for suffix in ("csv", "parquet", "npz", "safetensors"):
        (tmp_path / f"t.{suffix}").write_bytes(content)
        with pytest.raises(InputError, match=rf"t\.{suffix}") as raised:
            load_features(tmp_path / "f.npy", factors=tmp_path / f"t.{suffix}")
        assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match="No such file"):
        load_features(tmp_path / "f.npy", factors=tmp_path / "none.csv")


def test_shards_that_do_not_fit_each_other(tmp_path: Path) -> None:
    npz(tmp_path / "part-0.npz")
    np.savez(tmp_path / "part-1.npz", h=H[:, :3], size=SIZE, shape=SHAPE)
    with pytest.raises(InputError, match=r"h is 3 wide in part-1\.npz and 4 in part-0\.npz"):
        load_features(tmp_path)
    np.savez(tmp_path / "part-1.npz", h=H, size=SIZE)
    with pytest.raises(InputError, match=r"same arrays; part-1\.npz has h, size and part-0"):
        load_features(tmp_path)
    np.savez(tmp_path / "part-1.npz", h=H, size=SIZE, shape=np.arange(N))
    with pytest.raises(InputError, match="'shape' holds text in some shards and numbers"):
        load_features(tmp_path)
    broken = H.copy()
    broken[7, 2] = np.nan
    np.savez(tmp_path / "part-1.npz", h=broken, size=SIZE, shape=SHAPE)
    with pytest.raises(InputError, match=r"part-1\.npz has 1 values that are NaN.* rows 7"):
        load_features(tmp_path, skip_corrupt=True)
    (tmp_path / "part-2.npy").touch()
    with pytest.raises(InputError, match=r"shards of one kind .* \.npy and \.npz"):
        load_features(tmp_path)


def test_parquet_that_does_not_say_what_is_h(tmp_path: Path) -> None:
    frame = pd.DataFrame(H, columns=list("abcd")).assign(size=SIZE)
    frame.to_parquet(tmp_path / "f.parquet")
    with pytest.raises(InputError, match="does not say which of its columns are features: a, b"):
        load_features(tmp_path / "f.parquet")
    frame.drop(columns="size").to_parquet(tmp_path / "g.parquet")
    factors = table(tmp_path / "t.csv")
    is_all(load_features(tmp_path / "g.parquet", factors=factors, only=("size", "shape")))
    ragged = pa.table({"h": [[1.0, 2.0], [3.0]], "size": [1.0, 2.0]})
    pq.write_table(ragged, tmp_path / "r.parquet")
    with pytest.raises(InputError, match="lists of different lengths"):
        load_features(tmp_path / "r.parquet")


def test_other_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_features(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no file is called"):
        load_features(f"{tmp_path}/*.npy")
    (tmp_path / "f.txt").write_text("1 2")
    with pytest.raises(InputError, match=r"no file that can be read; give one of \.npy"):
        load_features(tmp_path / "f.txt")
