"""Downloads from a server of our own that fails in every way that servers fail."""

import hashlib
import resource
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from identikit.core.errors import InputError
from identikit.worlds.grids import download, unpacking
from identikit.worlds.grids.data_set import DataSet, Original
from identikit.worlds.grids.download import fetch, verify
from identikit.worlds.grids.shapes3d import SHAPES3D
from identikit.worlds.grids.smallnorb import SMALLNORB

CONTENT = b"\x89HDF\r\n\x1a\n" + np.random.default_rng(0).bytes(3 * 2**20)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@dataclass
class Server:
    """What it serves, how it misbehaves, and what it was asked."""

    content: bytes = CONTENT
    status: int = 200
    tag: str | None = '"first"'
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers end."""
    resumes: bool = True
    kind: str = "application/octet-stream"
    asked: list[str | None] = field(default_factory=list)
    """The ranges of the requests."""
    port: int = 0

    def url(self, name: str = "3dshapes.h5") -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            state.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            same = self.headers["If-Range"] in (None, state.tag)
            status, body = state.status, state.content
            if start and same and state.resumes:
                status = 206 if start < len(body) else 416
            else:
                start = 0
            self.send_response(status)
            if status == 416:
                self.send_header("Content-Range", f"bytes */{len(body)}")
            body = body[start:]
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", state.kind)
            if state.tag:
                self.send_header("ETag", state.tag)
            self.end_headers()
            self.wfile.write(body[: state.cuts.pop(0)] if state.cuts else body)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(download, "PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        state.port = http_server.server_port
        thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        http_server.shutdown()
        thread.join()


def published(*urls: str, digest: str | None = DIGEST) -> DataSet:
    original = Original(
        name="3dshapes.h5", urls=urls, starts_with=b"\x89HDF", digest=digest, size=len(CONTENT)
    )
    return replace(SHAPES3D, originals=(original,))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_a_file_is_fetched_and_checked_and_not_fetched_again(
    server: Server, tmp_path: Path
) -> None:
    place = tmp_path / "shapes3d" / "3dshapes.h5"
    seen: list[tuple[int, int]] = []
    data = published(server.url())
    assert fetch(data, place, on_progress=lambda *step: seen.append(step)) == place
    assert place.read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert names(place.parent) == {"3dshapes.h5"}
    fetch(data, place)
    assert server.asked == [None]
    assert fetch(data, tmp_path) == tmp_path / "3dshapes.h5"


def test_a_cut_connection_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.cuts = [2**20 + 5, 1000]
    place = tmp_path / "3dshapes.h5"
    fetch(published(server.url()), place)
    assert place.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={2**20 + 5}-", f"bytes={2**20 + 1005}-"]


def test_a_download_that_was_given_up_goes_on_in_the_next_try(
    server: Server, tmp_path: Path
) -> None:
    server.cuts = [100_000, 0, 0]
    place = tmp_path / "3dshapes.h5"
    with pytest.raises(InputError, match=r"cut .*3 times; 100,000 bytes are kept"):
        fetch(published(server.url()), place)
    assert not place.exists()
    fetch(published(server.url()), place)
    assert place.read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=100000-"
    assert names(tmp_path) == {"3dshapes.h5"}


@pytest.mark.parametrize("change", ["another version", "cannot resume", "no tag"])
def test_two_versions_are_never_glued_together(server: Server, tmp_path: Path, change: str) -> None:
    if change == "no tag":
        server.tag = None
    place = tmp_path / "3dshapes.h5"
    server.content, whole = CONTENT[:8] + bytes(60_000), server.content
    server.cuts = [50_000, 0, 0]
    with pytest.raises(InputError, match="are kept"):
        fetch(published(server.url()), place)
    server.content = whole
    server.tag = '"second"' if change == "another version" else server.tag
    server.resumes = change != "cannot resume"
    fetch(published(server.url()), place)
    assert place.read_bytes() == CONTENT


def test_a_part_that_was_whole_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    place = tmp_path / "3dshapes.h5"
    (tmp_path / "3dshapes.h5.part").write_bytes(CONTENT)
    (tmp_path / "3dshapes.h5.part.tag").write_text('"first"')
    fetch(published(server.url()), place)
    assert place.read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_bad_checksum_says_which_was_expected_and_keeps_nothing(
    server: Server, tmp_path: Path
) -> None:
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(InputError, match=DIGEST.removeprefix("sha256:")):
        fetch(published(server.url()), tmp_path / "3dshapes.h5")
    assert names(tmp_path) == set()


def test_a_file_that_is_there_and_wrong_is_not_overwritten(server: Server, tmp_path: Path) -> None:
    place = tmp_path / "3dshapes.h5"
    place.write_bytes(CONTENT[:100])
    with pytest.raises(InputError, match=rf"100 bytes\) is not 3dshapes.h5 .*{DIGEST}"):
        fetch(published(server.url()), place)
    assert place.read_bytes() == CONTENT[:100]


def test_without_a_published_checksum_the_first_download_is_remembered(
    server: Server, tmp_path: Path
) -> None:
    data, place = published(server.url(), digest=None), tmp_path / "3dshapes.h5"
    assert verify(Path(__file__), data.originals[0]) is None
    fetch(data, place)
    assert verify(place, data.originals[0]) == DIGEST
    place.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match="not " + DIGEST.removeprefix("sha256:")):
        fetch(data, place)


@pytest.mark.parametrize("status", [200, 404])
def test_a_web_page_in_place_of_the_file_is_seen(
    server: Server, tmp_path: Path, status: int
) -> None:
    server.content, server.status, server.kind = b"<!DOCTYPE html>...", status, "text/html"
    words = "answered 404" if status == 404 else "type text/html that begins with b'<!DOCTYPE"
    with pytest.raises(InputError, match=words):
        fetch(published(server.url(), digest=None), tmp_path / "3dshapes.h5")
    assert names(tmp_path) == set()


def test_alternates_are_tried_in_turn_and_each_failure_is_told(
    server: Server, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/3dshapes.h5"
        place = tmp_path / "3dshapes.h5"
        with pytest.raises(InputError, match=rf"{nobody}: no connection .*{nobody}"):
            fetch(published(nobody, nobody), place)  # no network
        fetch(published(nobody, server.url()), place)
    assert place.read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.status, server.content = 503, b""
    with pytest.raises(InputError, match="answered 503 Service Unavailable, 3 times"):
        fetch(published(server.url()), tmp_path / "3dshapes.h5")
    assert len(server.asked) == 3


def test_a_full_disk_is_said_before_and_met_on_the_way(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, place = published(server.url()), tmp_path / "3dshapes.h5"
    with monkeypatch.context() as patch:
        full = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=2**20))
        patch.setattr(unpacking, "shutil", full)
        with pytest.raises(InputError, match=r"3dshapes\.h5 need 3 MiB in .* 1 MiB are free"):
            fetch(data, place)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.raises(InputError, match=r"cannot be written: .* What has come so far is kept"):
            fetch(data, place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    fetch(data, place)
    assert place.read_bytes() == CONTENT


def test_a_set_of_several_files_becomes_a_folder(server: Server, tmp_path: Path) -> None:
    originals = tuple(
        replace(original, urls=(server.url(original.name),), digest=DIGEST, starts_with=b"\x89")
        for original in SMALLNORB.originals
    )
    folder = fetch(replace(SMALLNORB, originals=originals), tmp_path / "smallnorb")
    assert names(folder) == {original.name for original in originals}
    assert len(server.asked) == 6
