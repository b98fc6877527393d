"""Files appear whole or not at all, and leave no litter."""

import json
import os
from pathlib import Path

import pytest

from identikit.core.errors import InputError
from identikit.core.files import is_free, replacing, write_atomically, write_json


def test_a_failed_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "page.html"
    write_atomically(target, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match=r"page\.html cannot be written: No space left"):
        write_atomically(target, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    assert target.read_bytes() == b"old"


def test_what_a_killed_process_left_goes_with_the_next_write_and_nothing_else(
    tmp_path: Path,
) -> None:
    (tmp_path / ".page.html.1.tmp").write_bytes(b"ha")
    others = [tmp_path / ".page.html.swp", tmp_path / ".other.html.1.tmp", tmp_path / "page.html"]
    for path in others:
        path.touch()
    with replacing(tmp_path / "page.html") as file:
        file.write(b"slow")
        (tmp_path / f".page.html.{os.getpid()}.tmp").rename(living := tmp_path / ".page.html.2.tmp")
        write_atomically(tmp_path / "page.html", b"whole")  # by a process beside that one
        assert sorted(tmp_path.iterdir()) == sorted([*others, living])
        living.rename(tmp_path / f".page.html.{os.getpid()}.tmp")
    assert (tmp_path / "page.html").read_bytes() == b"slow"


def test_a_place_is_free_where_nothing_stands_but_half_a_write(tmp_path: Path) -> None:
    assert is_free(tmp_path / "new")
    assert is_free(tmp_path)
    (tmp_path / ".manifest.json.77.tmp").touch()
    assert is_free(tmp_path)
    for name in (".tmp", ".a.tmp", ".gitignore", "a"):
        (tmp_path / name).touch()
        assert not is_free(tmp_path)
        assert not is_free(tmp_path / name)
        (tmp_path / name).unlink()


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written: .*Choose a folder"):
        write_atomically(tmp_path / "file" / "page.html", b"")


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_null_for_what_is_not_a_number(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [float("inf"), 1.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": None, "b": [None, 1.5]}
