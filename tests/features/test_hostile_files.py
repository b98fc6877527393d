"""Files made to hang, to flood the memory, to run code or to lead elsewhere: one sentence each."""

import gzip
import io
import json
import os
import resource
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from identikit import load_features
from identikit.core import archives
from identikit.core.errors import InputError
from identikit.core.files import file_digest
from identikit.features.rows import read_rows
from identikit.features.shards import MANIFEST_FILE, read_manifest
from identikit.features.table import read_table

H = np.arange(12.0).reshape(4, 3)


@pytest.fixture(autouse=True)
def _little_memory() -> Iterator[None]:
    """Whoever allocates gigabytes here fails."""
    if not Path("/proc/self/statm").exists():
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**31, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def refused(path: Path, says: str) -> None:
    """By whatever reads it, in one sentence that names the file."""
    readers: list[Any] = [lambda: read_table(path)]
    if path.suffix in (".npy", ".npz", ".parquet", ".safetensors"):
        readers.append(lambda: read_rows(path))
    for read in readers:
        with pytest.raises(InputError, match=says) as raised:
            read()
        assert "\n" not in str(raised.value)
        assert path.name in str(raised.value)


# ---- headers that promise


def npy(header: str, content: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    words = header.encode("latin-1")
    words += b" " * (-(len(words) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(words))
    return b"\x93NUMPY" + bytes(version) + size + words + content


def described(descr: str = "'<f8'", shape: str = "(4, 3)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


HEADERS = [
    described(shape="(500000000000000, 8)"),  # 3.5 PiB
    described(shape=f"({2**27}, 8)"),  # 8 GiB
    described(shape=f"({2**70}, 3)"),
    described(shape=f"({2**62}, {2**62})"),
    described(shape="(-4, -3)"),
    described(shape="(True, 12)"),
    described(shape="(4, 3, 'a')"),
    described(shape="[4, 3]"),
    described(shape="4"),
    described(descr="'<U0'", shape=f"({2**40},)"),
    described(descr="'|V0'", shape=f"({2**40},)"),
    described(descr="'<f8', 'x': 1 if"),
    described(descr="{'a': []}"),
    described(descr="[[[[[]]]]]"),
    described(descr="{[]: 1}"),
    described(descr="'<i8', '\\x00'"),
    described(descr="'O'"),
    described(descr="'(2,3)<f4'"),
    described(descr="'nonsense'"),
    described(order="'yes'"),
    "(" * 3000,
    "{",
    "}",
    "{'descr': '<f8'}",
    "1L",
    "__import__('os').system('echo')",
    "\u00e9\u00ff",
    "",
]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_headers_of_arrays_are_believed_only_if_the_file_agrees(
    tmp_path: Path, header: str, version: tuple[int, int]
) -> None:
    content = npy(header, H.tobytes(), version)
    (tmp_path / "h.npy").write_bytes(content)
    refused(tmp_path / "h.npy", r"h\.npy")
    with zipfile.ZipFile(tmp_path / "h.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("h.npy", content)
    refused(tmp_path / "h.npz", r"h\.npz")
    with zipfile.ZipFile(tmp_path / "z.npz", "w") as archive:
        archive.writestr("z.npy", content)
    with pytest.raises(InputError):
        load_features(tmp_path / "z.npz")


def test_a_header_that_tells_the_truth_is_believed_in_every_version(tmp_path: Path) -> None:
    for version in ((1, 0), (2, 0), (3, 0)):
        (tmp_path / "h.npy").write_bytes(npy(described(), H.tobytes(), version))
        assert read_rows(tmp_path / "h.npy").h.tolist() == H.tolist()


# ---- archives


def archive(path: Path, method: int = zipfile.ZIP_DEFLATED, **arrays: Any) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, array in arrays.items():
            file.writestr(f"{name}.npy", as_npy(array))
    return path


def as_npy(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_EXPANDED", 2**20)
    path = archive(tmp_path / "f.npz", h=np.zeros((2**20, 4), np.float32), size=np.arange(3))
    assert path.stat().st_size < 2**15
    refused(path, r"expands to 16,777,.*: beyond .* a file may expand 100-fold")
    table = pa.table({"h0": pa.array(np.zeros(2**20)), "z": pa.array(np.zeros(2**20))})
    pq.write_table(table, tmp_path / "f.parquet")
    refused(tmp_path / "f.parquet", r"expands to 16,777,216: beyond")


@pytest.mark.parametrize("claim", [2**33, 2**40, 2**62])
def test_a_member_that_is_said_to_be_large_is_not_believed(tmp_path: Path, claim: int) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = tmp_path / f"{method}.npz"
        with zipfile.ZipFile(path, "w", method) as file:
            file.writestr("h.npy", npy(described(shape=f"({claim // 8},)"), b""))
            file.filelist[0].file_size = claim
        refused(path, "expands to|said to have|cut short or damaged")


def test_a_million_members_are_counted_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 6) + bytes(16) + b"%06d"
    directory = b"".join(entry % k for k in range(1_000_000))
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 0, 0)
    path.write_bytes(directory + end)
    refused(path, "table of contents has 52,000,000 bytes")
    few = directory[: 52 * 20_000]
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 20_000, 20_000, len(few), 0, 0)
    path.write_bytes(few + end)
    refused(path, "holds 20,000 arrays; at most 10,000")


def test_encrypted_and_otherwise_packed_members_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "f.npz", h=H)
    content = path.read_bytes()
    for place in (content.index(b"PK\x01\x02") + 8, content.index(b"PK\x03\x04") + 6):
        content = content[:place] + b"\x01" + content[place + 1 :]
    path.write_bytes(content)
    refused(path, "'h' in .* is encrypted")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refused(archive(tmp_path / "g.npz", method, h=H), "is compressed by method")
    content = archive(tmp_path / "u.npz", h=H).read_bytes()
    place = content.index(b"PK\x01\x02") + 10
    (tmp_path / "u.npz").write_bytes(content[:place] + b"\x63\x00" + content[place + 2 :])
    refused(tmp_path / "u.npz", "is compressed by method 99")


@pytest.mark.parametrize("names", [("h.npy", "h"), ("z.npy", "z.npy")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as file:
        for name in names:
            file.writestr(name, as_npy(H))
    refused(tmp_path / "f.npz", f"holds two arrays '{names[0][0]}'")


def test_members_outside_the_archive_stay_there(tmp_path: Path) -> None:
    """Names are keys: nothing is unpacked into files."""
    arrays: dict[str, Any] = {"h": H, "../../evil": np.arange(4), "/abs": np.arange(4)}
    np.savez(tmp_path / "f.npz", **arrays)
    before = sorted(tmp_path.parent.rglob("*"))
    assert {"../../evil", "/abs"} <= set(read_rows(tmp_path / "f.npz").columns)
    assert sorted(tmp_path.parent.rglob("*")) == before


# ---- what is no file


@pytest.mark.parametrize(
    "name", ["h.npy", "h.npz", "h.parquet", "h.safetensors", "t.csv", "t.csv.gz"]
)
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    refused(path, "is a pipe, not a file")
    with pytest.raises(InputError, match="is a pipe"):
        file_digest(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    refused(path, "is a device, not a file")


def test_a_folder_of_features_does_not_wait_for_pipes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MANIFEST_FILE)
    np.save(tmp_path / "h.npy", H)
    with pytest.raises(InputError, match="is a pipe"):
        read_rows(tmp_path)


# ---- manifests


@pytest.mark.parametrize(
    "change",
    [
        {"shards": [{"file": "../secret.safetensors", "rows": 4, "bytes": 1, "sha256": "0"}]},
        {"shards": [{"file": "/secret.safetensors", "rows": 4, "bytes": 1, "sha256": "0"}]},
        {"controls": {"pixels": "../elsewhere"}},
        {"head": "a/../../head.safetensors"},
    ],
)
def test_a_manifest_names_files_of_its_folder_only(tmp_path: Path, change: Any) -> None:
    good: dict[str, Any] = {
        "format": "identikit-features",
        **{"version": 1, "finished": True, "n": 4, "dim": 3, "dtype": "float32", "head": None},
        **{"shards": [], "controls": {}, "settings": {}, "versions": {}},
    }
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(good))
    read_manifest(tmp_path)
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(good | change))
    with pytest.raises(InputError, match="which is not in its folder"):
        read_manifest(tmp_path)


def test_links_out_of_a_folder_of_features_are_not_followed(tmp_path: Path) -> None:
    folder, secret = tmp_path / "features", tmp_path / "secret.npy"
    folder.mkdir()
    np.save(secret, H)
    (folder / "h.npy").symlink_to(secret)
    with pytest.raises(InputError, match=r"h\.npy is a link that leaves its folder, to .*secret"):
        read_rows(folder)
    assert len(read_rows(folder / "h.npy").h) == len(H)  # a file that somebody named
    (folder / "h.npy").unlink()
    np.save(folder / "h-0.npy", H)
    (folder / "h-1.npy").symlink_to("h-0.npy")
    assert len(read_rows(folder).h) == 2 * len(H)


@pytest.mark.parametrize("place", ["shard-00000.safetensors", "keys.parquet", "pixels", "W.npy"])
def test_what_a_manifest_names_is_no_link_out_of_its_folder(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "features"
    folder.mkdir()
    shard = {"file": "shard-00000.safetensors", "rows": 4, "bytes": 1, "sha256": "0"}
    manifest = {
        "format": "identikit-features",
        **{"version": 1, "finished": True, "n": 4, "dim": 3, "dtype": "float32", "head": "W.npy"},
        **{"shards": [shard], "controls": {"pixels": "pixels"}, "settings": {}, "versions": {}},
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    read_manifest(folder)
    (folder / place).symlink_to(tmp_path)
    with pytest.raises(InputError, match=f"{place} is a link that leaves its folder"):
        read_manifest(folder)


def test_deep_nesting_is_damage(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_FILE).write_text("[" * 200_000)
    with pytest.raises(InputError, match="damaged"):
        read_rows(tmp_path)


# ---- other formats


def test_headers_of_safetensors_that_promise_too_much(tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    save_file({"h": H}, path)
    content = path.read_bytes()
    refused_ = [
        content.replace(b"[4,3]", b"[4,9]"),
        content.replace(b"[0,96]", b"[0,99]"),
        struct.pack("<Q", 2**60) + content[8:],
        struct.pack("<Q", 2**20) + content[8:],
        content.replace(b'"F64"', b'"F99"'),
        content[:-8],
    ]
    for damaged in refused_:
        assert damaged != content
        path.write_bytes(damaged)
        refused(path, "cut short or damaged")


def test_text_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identikit.features.table.MOST_EXPANDED", 10_000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 3_000))
    refused(tmp_path / "t.csv.gz", "GiB of text. Give it as Parquet")
