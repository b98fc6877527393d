"""The folder format: written whole, read back equal, refused when it is something else."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from identikit.core.errors import InputError
from identikit.core.files import file_digest
from identikit.features.shards import (
    Manifest,
    describe_shard,
    read_keys,
    read_manifest,
    read_shard,
    shard_file,
    write_keys,
    write_manifest,
    write_shard,
)

MANIFEST = Manifest(
    finished=True,
    n=3,
    dim=4,
    dtype="float16",
    controls={"pixels": "pixels"},
    head=None,
    settings={"layer": "fc:input"},
    versions={},
)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_rows_and_what_was_skipped_come_back(tmp_path: Path, dtype: type) -> None:
    h: np.ndarray = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype).T  # not contiguous
    path = tmp_path / shard_file(7)
    assert path.name == "shard-00007.safetensors"
    write_shard(path, h, skipped=["a/é.jpg"])
    shard, skipped = describe_shard(path)
    np.testing.assert_array_equal(read_shard(path), h)
    assert read_shard(path).dtype == dtype
    assert skipped == ["a/é.jpg"]
    assert (shard.rows, shard.bytes) == (3, path.stat().st_size)
    assert shard.sha256 == file_digest(path)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    path = tmp_path / shard_file(0)
    write_shard(path, np.ones((5, 5), np.float32))
    path.write_bytes(path.read_bytes()[:-8])
    for read in (read_shard, describe_shard):
        with pytest.raises(InputError, match=path.name):
            read(path)


def test_keys_come_back_in_their_order(tmp_path: Path) -> None:
    write_keys(tmp_path, ["b/ü 1.jpg", "a.png"])
    assert read_keys(tmp_path) == ["b/ü 1.jpg", "a.png"]
    (tmp_path / "keys.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"keys\.parquet"):
        read_keys(tmp_path)


def test_the_manifest_comes_back(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest(tmp_path) == MANIFEST


def test_an_unfinished_folder_is_refused_unless_asked_for(tmp_path: Path) -> None:
    write_manifest(tmp_path, dataclasses.replace(MANIFEST, finished=False))
    with pytest.raises(InputError, match="not finished"):
        read_manifest(tmp_path)
    assert not read_manifest(tmp_path, unfinished=True).finished


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not a folder of features"),
        ("{", "damaged"),
        ("[]", "not the manifest"),
        (json.dumps({"format": "identikit-features", "version": 2}), "version 2"),
        (json.dumps({"format": "identikit-features", "version": 1, "dims": 3}), "'dims'"),
    ],
)
def test_what_is_no_such_folder_is_refused(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)
